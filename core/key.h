/*
 * From a terminal's bytes to keys: control characters and the escape sequences of the VT220, xterm and their kin
 * (ECMA-48, "Control sequences"). Takes any byte.
 */
#pragma once

#include "core/types.h"

enum key {
    KEY_NONE,    /* the byte belongs to a sequence that is not over, or to one that is no key of ours */
    KEY_TEXT,    /* the byte itself: printable ASCII */
    KEY_UNKNOWN, /* a byte that is no key of ours */
    KEY_ENTER,
    KEY_CANCEL,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_OLDER,
    KEY_NEWER,
    KEY_DELETE_LEFT,
    KEY_DELETE_RIGHT,
    KEY_DELETE_WORD,
    KEY_DELETE_LINE,
    KEY_DELETE_TAIL,
};

/* Where in an escape sequence the input is. */
enum key_state { KEY_STATE_PLAIN, KEY_STATE_ESCAPE, KEY_STATE_SEQUENCE, KEY_STATE_SINGLE };

/* All zero at the start. */
struct key_reader {
    enum key_state state;
    bool after_return; /* a line feed right after a carriage return belongs to it */
    bool number_done;
    uint32_t number; /* the first one of the escape sequence */
};

enum key key_read(struct key_reader *reader, uint8_t byte);
