/*
 * Console output on its way to the wire: a bounded queue between those who print and a port that takes what it can.
 * Nobody waits: a producer first asks for the room it needs. Used by the console CPU only.
 */
#pragma once

#include "core/sink.h"

enum { OUTBOX_SIZE = 8 * 1024 };

/* The terminal's wire. Both never wait. */
struct console_port {
    size_t (*read)(struct console_port *self, char *to, size_t size);          /* what has arrived */
    size_t (*write)(struct console_port *self, const char *from, size_t size); /* how much was taken */
};

struct outbox {
    struct sink sink; /* text: a line feed becomes CR LF. First, so that a pointer to it is a pointer to the whole. */
    uint32_t first;   /* where the oldest byte is */
    uint32_t length;  /* bytes that wait */
    uint32_t column;  /* characters since the last line feed */
    uint64_t dropped; /* bytes that found no room: a producer that did not ask */
    char bytes[OUTBOX_SIZE];
};

void outbox_init(struct outbox *box);

/* Bytes that can still be put. A line feed printed on `sink` takes two. */
size_t outbox_room(const struct outbox *box);

/* Puts bytes as they are: a guest's own output. */
void outbox_put_raw(struct outbox *box, const char *bytes, size_t length);

/* Fills up with spaces to `column`, and puts at least one unless at the start of a line: the cells of tables. */
void outbox_pad(struct outbox *box, uint32_t column);

/* What follows begins at the start of a line. outbox_tell_lost: and says there how many bytes of `what` were, if any.
 */
void outbox_end_line(struct outbox *box);
void outbox_tell_lost(struct outbox *box, uint64_t lost, const char *what);

/* Offers the port at most so many bytes, until it has taken fewer than offered. */
void outbox_write(struct outbox *box, struct console_port *port, size_t most);
