/* Two small tables, and the four states an escape sequence goes through. */
#include "core/key.h"

enum {
    CODE_LINE_FEED = 0x0a,
    CODE_RETURN = 0x0d,
    CODE_ESCAPE = 0x1b,
    CODE_DELETE = 0x7f,
    NUMBER_MAX = 1000, /* larger ones are no key: stop counting */
};

static enum key control_key(uint8_t byte)
{
    static const uint8_t keys[' '] = {
        [0x01] = KEY_HOME,         /* ^A */
        [0x02] = KEY_LEFT,         /* ^B */
        [0x03] = KEY_CANCEL,       /* ^C */
        [0x04] = KEY_DELETE_RIGHT, /* ^D */
        [0x05] = KEY_END,          /* ^E */
        [0x06] = KEY_RIGHT,        /* ^F */
        [0x08] = KEY_DELETE_LEFT,  /* Backspace of some terminals */
        [0x0a] = KEY_ENTER,        /* line feed */
        [0x0b] = KEY_DELETE_TAIL,  /* ^K */
        [0x0d] = KEY_ENTER,        /* carriage return */
        [0x0e] = KEY_NEWER,        /* ^N */
        [0x10] = KEY_OLDER,        /* ^P */
        [0x15] = KEY_DELETE_LINE,  /* ^U */
        [0x17] = KEY_DELETE_WORD,  /* ^W */
    };
    if (byte == CODE_DELETE)
        return KEY_DELETE_LEFT; /* Backspace of most terminals */
    if (byte >= ' ' || keys[byte] == 0)
        return KEY_UNKNOWN;
    return (enum key)keys[byte];
}

/* "ESC [ number ~" by its number, "ESC [ ..." and "ESC O x" by the last byte. */
static enum key final_key(const struct key_reader *reader, uint8_t final)
{
    static const uint8_t keys[] = {
        [1] = KEY_HOME,   [3] = KEY_DELETE_RIGHT, [4] = KEY_END,     [7] = KEY_HOME,
        [8] = KEY_END,    ['A'] = KEY_OLDER,      ['B'] = KEY_NEWER, ['C'] = KEY_RIGHT,
        ['D'] = KEY_LEFT, ['F'] = KEY_END,        ['H'] = KEY_HOME,
    };
    uint32_t index = final != '~' ? final : reader->number < 'A' ? reader->number : 0;
    return index < sizeof keys ? (enum key)keys[index] : KEY_NONE;
}

static void count_number(struct key_reader *reader, uint8_t byte)
{
    if (byte < '0' || byte > '9')
        reader->number_done = true;
    else if (!reader->number_done && reader->number < NUMBER_MAX)
        reader->number = reader->number * 10 + (uint32_t)(byte - '0');
}

static enum key sequence_key(struct key_reader *reader, enum key_state state, uint8_t byte)
{
    if (state == KEY_STATE_ESCAPE) {
        if (byte == '[')
            reader->state = KEY_STATE_SEQUENCE;
        else if (byte == 'O')
            reader->state = KEY_STATE_SINGLE;
        return KEY_NONE;
    }
    if (state == KEY_STATE_SEQUENCE && byte < '@') {
        count_number(reader, byte);
        reader->state = state;
        return KEY_NONE;
    }
    return final_key(reader, byte);
}

enum key key_read(struct key_reader *reader, uint8_t byte)
{
    bool second_half = reader->after_return && byte == CODE_LINE_FEED;
    enum key_state state = reader->state;
    reader->after_return = byte == CODE_RETURN;
    reader->state = KEY_STATE_PLAIN;
    if (second_half)
        return KEY_NONE;
    if (byte == CODE_ESCAPE) {
        *reader = (struct key_reader){.state = KEY_STATE_ESCAPE};
        return KEY_NONE;
    }
    /* A control character in the middle of a sequence ends it and counts as itself, so that Enter is never lost. */
    if (byte < ' ' || byte >= CODE_DELETE)
        return control_key(byte);
    return state == KEY_STATE_PLAIN ? KEY_TEXT : sequence_key(reader, state, byte);
}
