/*
 * The control console's service loop: keys in, one command at a time or an attached partition, messages between, text
 * out. Each call does a bounded piece of work, because the same CPU may run a guest.
 */
#include "core/attach.h"
#include "core/bytes.h"
#include "core/command.h"
#include "core/cpu.h"
#include "core/line_editor.h"
#include "core/version.h"

enum {
    CONSOLE_INPUT_SIZE = 256,  /* keys that wait; more are refused with a bell */
    CONSOLE_READ_SIZE = 64,    /* bytes read from the port in one call */
    CONSOLE_WRITE_SIZE = 512,  /* bytes offered to the port in one call */
    CONSOLE_LOG_LINES = 4,     /* messages shown in one call */
    CONSOLE_LEAVE_SECONDS = 2, /* how long the last words may take when the box ends */
    KEY_INTERRUPT = 0x03,      /* ^C */
};

static const char prompt[] = "ringfence> ";
_Static_assert(sizeof prompt + EDITOR_LINE_SIZE < 80, "a line never reaches a terminal's right edge");

enum console_mode {
    CONSOLE_EDITING,
    CONSOLE_COMMAND, /* a command has more to print */
    CONSOLE_ATTACHED,
    CONSOLE_LEAVING, /* the box ends when all is said */
};

static struct {
    struct console_port *port; /* NULL: not initialised */
    enum console_mode mode;
    bool prompt_shown;
    struct outbox out;
    struct line_editor editor;
    struct command_context context;
    struct command_run run;
    struct attach attach;
    uint64_t leaving_since; /* TSC */

    uint32_t input_length;
    char input[CONSOLE_INPUT_SIZE];

    struct log_reader log;
} console;

static enum box_end box_end; /* atomic: any CPU asks, the console's carries out */

static bool has_room(void) { return outbox_room(&console.out) >= COMMAND_STEP_SIZE; }

void console_init(struct console_port *port, const struct config *config, const struct machine *machine,
                  const struct plan *plan, const struct backend *backend)
{
    memset(&console, 0, sizeof console);
    __atomic_store_n(&box_end, BOX_GOES_ON, __ATOMIC_RELEASE);
    outbox_init(&console.out);
    editor_init(&console.editor, prompt, &console.out.sink);
    console.attach = (struct attach){.out = &console.out, .escape = config->escape};
    console.context = (struct command_context){
        .out = &console.out, .config = config, .machine = machine, .plan = plan, .backend = backend};
    log_set_clock(machine->tsc_hz, cpu_clock());
    console.log.at = ring_end(log_ring()); /* what was said before there was a console was shown at once */
    console.port = port;
    sink_print(&console.out.sink, "\nRingfence " RINGFENCE_VERSION " on %s. 'help' shows the commands.\n",
               backend->name);
}

/* Ends a command, an attachment or a line: the prompt is due. */
static void to_prompt(void)
{
    console.mode = CONSOLE_EDITING;
    console.prompt_shown = false;
}

static void end_command(void)
{
    to_prompt();
    if (console.run.attach) {
        console.mode = CONSOLE_ATTACHED;
        attach_begin(&console.attach, console.run.partition);
    }
}

static void edit(uint8_t byte)
{
    switch (editor_key(&console.editor, byte)) {
    case EDITOR_NOTHING:
        break;
    case EDITOR_CANCELLED:
        to_prompt();
        break;
    case EDITOR_LINE:
        to_prompt();
        if (commands_begin(&console.context, &console.run, console.editor.line))
            console.mode = CONSOLE_COMMAND;
        break;
    }
}

static void drop_input(size_t count)
{
    console.input_length -= (uint32_t)count;
    memmove(console.input, console.input + count, console.input_length);
}

/* Keys typed while a command prints wait for their turn; ^C is no key that waits. */
static void interrupt_command(void)
{
    for (uint32_t i = console.input_length; i > 0; i--) {
        if (console.input[i - 1] != KEY_INTERRUPT)
            continue;
        drop_input(i);
        outbox_end_line(&console.out);
        sink_print(&console.out.sink, "^C\n");
        to_prompt();
        return;
    }
}

/* The key that ends what the terminal is busy with. */
static bool is_way_out(char key)
{
    return (console.mode == CONSOLE_COMMAND && key == KEY_INTERRUPT) ||
           (console.mode == CONSOLE_ATTACHED && (uint8_t)key == console.attach.escape);
}

static void read_input(void)
{
    char bytes[CONSOLE_READ_SIZE];
    size_t count = console.port->read(console.port, bytes, sizeof bytes);
    if (count > sizeof bytes)
        count = sizeof bytes; /* a port that claims more than it was asked for is not believed */
    bool refused = false;
    bool left = false;
    for (size_t i = 0; i < count; i++) {
        if (!left && is_way_out(bytes[i])) {
            console.input_length = 0; /* it takes back what was typed ahead, and is never refused */
            left = console.mode == CONSOLE_ATTACHED;
        }
        if (console.input_length < sizeof console.input)
            console.input[console.input_length++] = bytes[i];
        else
            refused = true;
    }
    if (refused && has_room())
        outbox_put_raw(&console.out, "\a", 1);
}

static void use_input(void)
{
    if (console.mode == CONSOLE_COMMAND)
        interrupt_command();
    size_t used = 0;
    while (used < console.input_length && console.mode == CONSOLE_EDITING && console.prompt_shown && has_room())
        edit((uint8_t)console.input[used++]);
    drop_input(used);
    if (console.mode == CONSOLE_ATTACHED) {
        drop_input(attach_type(&console.attach, console.input, console.input_length));
        if (console.attach.partition == NULL)
            to_prompt();
    }
}

static void show_message(struct slice line)
{
    struct outbox *out = &console.out;
    if (console.mode != CONSOLE_ATTACHED) {
        out->sink.put(&out->sink, line.at, line.length);
        return;
    }
    struct slice text = log_text(line);
    outbox_end_line(out);
    sink_print(&out->sink, "[ringfence: %.*s]\n", (int)(text.length - 1), text.at);
}

/* Messages come above the prompt, between commands, and between the lines of an attached guest. */
static void show_messages(void)
{
    if (console.mode == CONSOLE_COMMAND || log_reader_done(&console.log) || !has_room())
        return;
    if (console.prompt_shown && console.mode == CONSOLE_EDITING)
        editor_erase(&console.editor);
    console.prompt_shown = false;
    for (uint32_t i = 0; i < CONSOLE_LOG_LINES && has_room(); i++) {
        struct slice line;
        uint64_t lost;
        bool there = log_reader_next(&console.log, &line, &lost);
        outbox_tell_lost(&console.out, lost, "messages");
        if (!there)
            break;
        show_message(line);
    }
}

static void show_prompt(void)
{
    if (console.mode != CONSOLE_EDITING || console.prompt_shown || !has_room())
        return;
    editor_draw(&console.editor);
    console.prompt_shown = true;
}

static void begin_to_leave(void)
{
    if (__atomic_load_n(&box_end, __ATOMIC_ACQUIRE) == BOX_GOES_ON || console.mode == CONSOLE_LEAVING)
        return;
    console.mode = CONSOLE_LEAVING;
    console.leaving_since = cpu_clock();
}

static void leave_when_said(void)
{
    uint64_t waited = cpu_clock() - console.leaving_since;
    bool said = console.out.length == 0 && log_reader_done(&console.log);
    if (!said && waited / CONSOLE_LEAVE_SECONDS < console.context.machine->tsc_hz)
        return;
    if (__atomic_load_n(&box_end, __ATOMIC_ACQUIRE) == BOX_REBOOTS)
        cpu_box_reboot();
    cpu_box_halt();
}

void console_end_box(bool reboot)
{
    /* The first word counts: a partition's policy does not turn the operator's halt into a reboot. */
    enum box_end goes_on = BOX_GOES_ON;
    __atomic_compare_exchange_n(&box_end, &goes_on, reboot ? BOX_REBOOTS : BOX_HALTS, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
}

static void write_output(void)
{
    if (console.out.dropped != 0 && has_room()) {
        sink_print(&console.out.sink, "\n");
        outbox_tell_lost(&console.out, console.out.dropped, "console output");
        console.out.dropped = 0;
    }
    outbox_write(&console.out, console.port, CONSOLE_WRITE_SIZE);
}

void console_service(void)
{
    if (console.port == NULL)
        return;
    read_input();
    use_input();
    command_report_settled(&console.context);
    if (console.mode == CONSOLE_COMMAND && has_room() && !commands_step(&console.context, &console.run))
        end_command();
    if (console.mode == CONSOLE_ATTACHED)
        attach_service(&console.attach);
    begin_to_leave();
    show_messages();
    show_prompt();
    write_output();
    if (console.mode == CONSOLE_LEAVING)
        leave_when_said();
}
