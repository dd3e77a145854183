/*
 * The control console: keys, guest output, a slow wire and time in any order, over two partitions with a real life
 * cycle. Afterwards the console must still answer, and a box that was told to end must end.
 *
 * Input: bytes below 80h, and FFh followed by one, are typed; the others are what the rest of the box does.
 */
#include "core/console.h"

#include "tests/fuzz/box.h"

enum {
    TYPED_MAX = 512,
    SHOWN_MAX = 64 * 1024,
    WIRE_MAX = 1024,
    ROUNDS_MAX = 20000,
    QUIET_ROUNDS = 8,
    ESCAPE_KEY = 0x1d
};
enum event { EVENT_SERVICE = 0x80, EVENT_GUEST, EVENT_WIRE, EVENT_CLOCK, EVENT_OBEY, EVENT_END, EVENT_TYPE = 0xff };

static struct {
    struct console_port port;
    size_t wire; /* bytes that the port takes in one call */
    bool clean;  /* the guest prints text alone: then nothing else is ever shown */
    size_t typed_length;
    char typed[TYPED_MAX];
    size_t shown_length; /* what was shown last, for the look at the end */
    char shown[SHOWN_MAX];
} terminal;

static size_t port_read(struct console_port *self, char *to, size_t size)
{
    require(self == &terminal.port);
    size_t count = terminal.typed_length < size ? terminal.typed_length : size;
    memcpy(to, terminal.typed, count);
    terminal.typed_length -= count;
    memmove(terminal.typed, terminal.typed + count, terminal.typed_length);
    return count;
}

static size_t port_write(struct console_port *self, const char *from, size_t size)
{
    require(self == &terminal.port && size != 0 && size <= WIRE_MAX);
    size_t count = size < terminal.wire ? size : terminal.wire;
    for (size_t i = 0; i < count; i++) {
        char c = from[i];
        require(!terminal.clean || (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\b' || c == '\a');
        if (terminal.shown_length < SHOWN_MAX - 1)
            terminal.shown[terminal.shown_length++] = c;
    }
    terminal.shown[terminal.shown_length] = '\0';
    return count;
}

static void type(uint8_t byte)
{
    if (terminal.typed_length < TYPED_MAX)
        terminal.typed[terminal.typed_length++] = (char)byte;
}

static void guest_output(struct input *in)
{
    uint8_t which = input_8(in);
    for (unsigned i = 0; i < which >> 1; i++) {
        uint8_t byte = input_8(in);
        ring_put(&box.rings[which & 1], terminal.clean ? (char)(' ' + byte % 95) : (char)byte);
    }
}

static void guest_ends(uint8_t how)
{
    struct partition *p = &partition_table.partitions[how & 1];
    if (p->state != PARTITION_RUNNING)
        return;
    if ((how & 2) != 0)
        lifecycle_guest_reset(p);
    else
        lifecycle_fault(p, FAULT_UNKNOWN, "said \x1b[2J and %u", how);
}

static void happen(struct input *in, uint8_t event)
{
    switch (event) {
    case EVENT_GUEST:
        guest_output(in);
        break;
    case EVENT_WIRE:
        terminal.wire = input_16(in) % WIRE_MAX;
        break;
    case EVENT_CLOCK:
        fake_cpu.clock += input_32(in);
        break;
    case EVENT_OBEY:
        (void)box_obey();
        break;
    case EVENT_END:
        guest_ends(input_8(in));
        break;
    case EVENT_TYPE:
        type(input_8(in));
        break;
    case EVENT_SERVICE:
    default:
        console_service();
        break;
    }
}

/* Lets the box work until nothing new has been shown for a while. */
static void settle(void)
{
    size_t shown = SIZE_MAX;
    for (unsigned i = 0, quiet = 0; quiet < QUIET_ROUNDS; i++, quiet++) {
        require(i < ROUNDS_MAX);
        console_service();
        (void)box_obey();
        fake_cpu.clock += BOX_HZ / 1000;
        if (terminal.shown_length != shown || terminal.typed_length != 0)
            quiet = 0;
        shown = terminal.shown_length;
        if (shown == SHOWN_MAX - 1)
            terminal.shown_length = 0;
    }
}

/* With a wire that works, a person who gives up whatever goes on gets an answer. */
static void require_alive(void)
{
    terminal.wire = WIRE_MAX;
    settle(); /* what was typed and is being printed comes to its end */
    type(ESCAPE_KEY);
    type(0x03);
    settle();
    type('\r');
    settle();
    terminal.shown_length = 0;
    for (const char *c = "version\r"; *c != '\0'; c++)
        type((uint8_t)*c);
    settle();
    require(strstr(terminal.shown, "\nRingfence ") != NULL);
}

static void run(struct input *in)
{
    while (in->left != 0) {
        uint8_t byte = input_8(in);
        if (byte < 0x80)
            type(byte);
        else
            happen(in, byte);
        if (terminal.typed_length > TYPED_MAX / 2)
            console_service();
    }
    require_alive();
}

static void setup(uint8_t flags)
{
    static const enum stop_action actions[] = {ON_STOP_STAY, ON_STOP_RESTART, ON_STOP_REBOOT_BOX, ON_STOP_HALT_BOX};
    box_setup(0);
    memset(&terminal, 0, sizeof terminal);
    terminal.port = (struct console_port){port_read, port_write};
    terminal.clean = (flags & 1) != 0;
    terminal.wire = WIRE_MAX;
    box.config.escape = ESCAPE_KEY;
    box.config.partitions[0].on_stop = actions[flags >> 1 & 3];
    if ((flags & 8) != 0)
        box.config.partitions[1].console = CONSOLE_NONE;
    console_init(&terminal.port, &box.config, &box.machine, &box.plan, &box.backend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    jmp_buf end;
    setup(input_8(&in));
    fake_cpu.box_end = &end;
    if (setjmp(end) == 0)
        run(&in);
    else
        require(fake_cpu.halts + fake_cpu.reboots == 1);
    box_require_isolated();
    box_teardown();
    return 0;
}
