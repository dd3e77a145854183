/* A byte queue in a circle, and the sink that feeds it. */
#include "core/outbox.h"

#include "core/bytes.h"

static void put(struct sink *self, const char *text, size_t length)
{
    struct outbox *box = (struct outbox *)self;
    while (length != 0) {
        size_t plain = 0;
        while (plain < length && text[plain] != '\n')
            plain++;
        outbox_put_raw(box, text, plain);
        if (plain < length) {
            outbox_put_raw(box, "\r\n", 2);
            plain++;
        }
        text += plain;
        length -= plain;
    }
}

void outbox_init(struct outbox *box) { *box = (struct outbox){.sink = {.put = put}}; }

size_t outbox_room(const struct outbox *box) { return OUTBOX_SIZE - box->length; }

static void count_columns(struct outbox *box, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n')
            box->column = 0;
        else if (bytes[i] != '\r' && box->column < UINT32_MAX)
            box->column++;
    }
}

void outbox_put_raw(struct outbox *box, const char *bytes, size_t length)
{
    size_t room = outbox_room(box);
    size_t count = length < room ? length : room;
    box->dropped += length - count;
    count_columns(box, bytes, count);
    size_t start = ((size_t)box->first + box->length) % OUTBOX_SIZE;
    size_t to_edge = OUTBOX_SIZE - start;
    size_t part = count < to_edge ? count : to_edge;
    memcpy(box->bytes + start, bytes, part);
    memcpy(box->bytes, bytes + part, count - part);
    box->length += (uint32_t)count;
}

void outbox_pad(struct outbox *box, uint32_t column)
{
    if (box->column != 0)
        outbox_put_raw(box, " ", 1);
    while (box->column < column && outbox_room(box) != 0)
        outbox_put_raw(box, " ", 1);
}

void outbox_end_line(struct outbox *box)
{
    if (box->column != 0)
        sink_print(&box->sink, "\n");
}

void outbox_tell_lost(struct outbox *box, uint64_t lost, const char *what)
{
    if (lost == 0)
        return;
    outbox_end_line(box);
    sink_print(&box->sink, "[ringfence: %lu bytes of %s lost]\n", lost, what);
}

void outbox_write(struct outbox *box, struct console_port *port, size_t most)
{
    while (box->length != 0 && most != 0) {
        size_t piece = OUTBOX_SIZE - (size_t)box->first;
        piece = box->length < piece ? box->length : piece;
        piece = most < piece ? most : piece;
        size_t taken = port->write(port, box->bytes + box->first, piece);
        if (taken > piece)
            taken = piece; /* a port that claims more than it was offered is not believed */
        box->first = (box->first + (uint32_t)taken) % OUTBOX_SIZE;
        box->length -= (uint32_t)taken;
        most = taken == piece ? most - piece : 0;
    }
}
