/*
 * Runs an emulated machine with its COM1 on this terminal: terminal ENGINE ISO DIRECTORY CPUS MEMORY-MIB
 *
 * On a terminal every key goes to the machine, Ctrl-C too; Ctrl-A x leaves, Ctrl-A Ctrl-A sends a Ctrl-A. From a pipe
 * the input is held until the machine's prompt has appeared, and each line until the machine has been quiet for a
 * moment, because nobody reads a serial line while the firmware runs. After the end of piped input the machine may go
 * on until it has been quiet for QUIET_END.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tools/emulator.h"

enum {
    KEY_COMMAND = 1 /* Ctrl-A */,
    TICK = 100,
    QUIET_LINE = 500,
    QUIET_END = 20000,
    QUIET_STUCK = 180000 /* milliseconds */
};

static const char prompt[] = "ringfence> ";

struct terminal {
    struct emulator emulator;
    bool interactive;
    bool command; /* Ctrl-A has been typed */
    bool leave;
    bool input_ended;
    bool hold;           /* piped: wait until the machine is quiet */
    size_t prompt_seen;  /* characters of the prompt; all of them: it has appeared */
    int64_t last_output; /* milliseconds */
};

static struct termios saved;
static bool raw;
static volatile sig_atomic_t stop_signal;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_signal(int number) { stop_signal = number; }

static void restore_terminal(void)
{
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    raw = false;
}

static void make_raw(void)
{
    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return;
    struct termios wanted = saved;
    cfmakeraw(&wanted);
    raw = tcsetattr(STDIN_FILENO, TCSANOW, &wanted) == 0;
    atexit(restore_terminal);
}

/* All of it, also when the other side takes it in parts. */
static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, TICK);
            if (stop_signal != 0)
                return false;
        } else if (done < 0 && errno != EINTR) {
            return false;
        } else if (done > 0) {
            bytes += done;
            length -= (size_t)done;
        }
    }
    return true;
}

static void key(struct terminal *t, char c)
{
    if (t->interactive && !t->command && c == KEY_COMMAND) {
        t->command = true;
        return;
    }
    if (t->command && (c == 'x' || c == 'X'))
        t->leave = true;
    else if (!write_all(t->emulator.line, &c, 1))
        t->leave = true;
    t->command = false;
}

static void input(struct terminal *t)
{
    /* A pipe is read a byte at a time, so that a line can be held back. */
    char bytes[256];
    ssize_t count = read(STDIN_FILENO, bytes, t->interactive ? sizeof bytes : 1);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
        t->input_ended = true;
        t->last_output = now();
    }
    for (ssize_t i = 0; i < count; i++) {
        char c = bytes[i];
        if (!t->interactive && c == '\n') {
            c = '\r';
            t->hold = true;
            t->last_output = now();
        }
        key(t, c);
    }
}

/* False when the machine has closed its side. */
static bool output(struct terminal *t)
{
    char bytes[4096];
    ssize_t count = read(t->emulator.line, bytes, sizeof bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (count <= 0)
        return false;
    t->last_output = now();
    for (ssize_t i = 0; i < count && t->prompt_seen < sizeof prompt - 1; i++)
        t->prompt_seen = bytes[i] == prompt[t->prompt_seen] ? t->prompt_seen + 1 : bytes[i] == prompt[0];
    return write_all(STDOUT_FILENO, bytes, (size_t)count);
}

static bool wants_input(struct terminal *t)
{
    if (t->input_ended)
        return false;
    if (t->interactive)
        return true;
    if (t->hold && now() - t->last_output >= QUIET_LINE)
        t->hold = false;
    return t->prompt_seen == sizeof prompt - 1 && !t->hold;
}

/* Returns why it ended, for a person. */
static const char *run(struct terminal *t)
{
    while (!t->leave && stop_signal == 0) {
        struct pollfd wait[2] = {{.fd = t->emulator.line, .events = POLLIN},
                                 {.fd = wants_input(t) ? STDIN_FILENO : -1, .events = POLLIN}};
        if (poll(wait, 2, TICK) < 0 && errno != EINTR)
            return "poll failed";
        if ((wait[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !output(t))
            return "the machine switched itself off";
        if ((wait[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            input(t);
        if (t->input_ended && !t->interactive && now() - t->last_output >= QUIET_END)
            return "the input has ended and the machine is quiet";
        if (!t->interactive && now() - t->last_output >= QUIET_STUCK)
            return "the machine has been quiet for three minutes";
        if (t->input_ended && t->interactive)
            return "the terminal is gone";
    }
    return stop_signal != 0 ? "stopped by a signal" : "left with Ctrl-A x";
}

static bool parse_count(const char *text, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *out = (unsigned)value;
    return errno == 0 && end != text && *end == '\0' && value > 0 && value < 65536;
}

int main(int argc, char **argv)
{
    static struct terminal t;
    struct emulator_setup setup = {0};
    char error[256];
    if (argc != 6 || !parse_count(argv[4], &setup.cpus) || !parse_count(argv[5], &setup.memory_mib)) {
        fprintf(stderr, "usage: terminal ENGINE ISO DIRECTORY CPUS MEMORY-MIB\n");
        return 2;
    }
    setup.engine = argv[1];
    setup.image = argv[2];
    setup.directory = argv[3];
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    t.interactive = isatty(STDIN_FILENO);
    t.last_output = now();
    if (!emulator_start(&t.emulator, &setup, error, sizeof error)) {
        fprintf(stderr, "terminal: %s\n", error);
        return 1;
    }
    if (t.interactive)
        make_raw();
    const char *why = run(&t);
    restore_terminal();
    emulator_stop(&t.emulator);
    printf("\nringfence: %s\n", why);
    return 0;
}
