/*
 * Drives one emulated machine for a system test.
 */
#include "tests/system/box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* LIMIT_NESTED: times as long in a machine within a machine. */
enum { LIMIT_SECONDS = 180, LIMIT_NESTED = 5, STEP_MILLISECONDS = 200, TAIL_SIZE = 4000, MAX_ARGUMENTS = 32, CHUNK = 4096 };

static const char *build_directory(void)
{
    const char *build = getenv("RINGFENCE_BUILD");
    return build != NULL ? build : "build";
}

static time_t monotonic_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* A machine of KVM's inside the emulated one. */
static bool is_nested(void) { return strstr(box_machine(), "-kvm") != NULL; }

/* The person at the keyboard knows this computer, the case knows what it waits for. */
static time_t limit_seconds(const struct box_setup *setup)
{
    const char *text = getenv("RINGFENCE_LIMIT");
    long value = text != NULL ? strtol(text, NULL, 10) : 0;
    long otherwise = setup->limit_seconds != 0 ? (long)setup->limit_seconds : LIMIT_SECONDS;
    if (is_nested())
        otherwise *= LIMIT_NESTED;
    return value > 0 ? value : otherwise;
}

int box_create(void **state)
{
    struct box *box = calloc(1, sizeof *box);
    if (box == NULL)
        return -1;
    box->emulator.line = -1;
    box->log = -1;
    box->limit = LIMIT_SECONDS;
    *state = box;
    return 0;
}

void box_stop(struct box *box)
{
    emulator_stop(&box->emulator);
    if (box->log >= 0)
        close(box->log);
    box->log = -1;
    box->ended = true;
}

int box_destroy(void **state)
{
    struct box *box = *state;
    box_stop(box);
    if (box->started != 0)
        printf("             %ld s, limit %ld s a wait, log %s/console.log\n",
               (long)(monotonic_seconds() - box->started), (long)box->limit, box->directory);
    free(box->text);
    free(box);
    return 0;
}

void box_fail(struct box *box, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t from = box->length > TAIL_SIZE ? box->length - TAIL_SIZE : 0;
    fprintf(stderr, "---- end of %s/console.log ('|' marks what was consumed) ----\n", box->directory);
    if (box->text != NULL) {
        size_t middle = box->at > from ? box->at : from;
        fwrite(box->text + from, 1, middle - from, stderr);
        fputc('|', stderr);
        fwrite(box->text + middle, 1, box->length - middle, stderr);
    }
    fprintf(stderr, "\n----\n");
    box_stop(box);
    fail_msg("%s", message);
    abort(); /* fail_msg does not return, but does not say so to the compiler. */
}

/* Paths are cut nowhere in silence. */
static void path(struct box *box, char *to, const char *a, const char *b)
{
    int length = snprintf(to, BOX_PATH_SIZE, "%s/%s", a, b);
    if (length < 0 || length >= BOX_PATH_SIZE)
        box_fail(box, "path %s/%s is too long, expected at most %d characters", a, b, BOX_PATH_SIZE - 1);
}

static void make_directory(struct box *box, const char *name)
{
    char all[BOX_PATH_SIZE], parent[BOX_PATH_SIZE];
    path(box, all, build_directory(), "system");
    path(box, parent, all, box_machine());
    path(box, box->directory, parent, name);
    (void)mkdir(build_directory(), 0777);
    (void)mkdir(all, 0777);
    (void)mkdir(parent, 0777);
    if (mkdir(box->directory, 0777) != 0 && errno != EEXIST)
        box_fail(box, "%s: %s", box->directory, strerror(errno));
}

static void write_file(struct box *box, const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(name, "w");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        box_fail(box, "%s: %s", name, strerror(errno));
}

static void write_conf(struct box *box, const char *text)
{
    if (text == NULL) {
        strcpy(box->conf, "-");
        return;
    }
    path(box, box->conf, box->directory, "ringfence.conf");
    write_file(box, box->conf, text, strlen(text));
}

void box_file(struct box *box, const char *name, const char *file, const void *bytes, size_t size)
{
    char full[BOX_PATH_SIZE];
    make_directory(box, name);
    path(box, full, box->directory, file);
    write_file(box, full, bytes, size);
}

void *box_read(struct box *box, const char *file, size_t *size)
{
    char full[BOX_PATH_SIZE];
    path(box, full, build_directory(), file);
    FILE *from = fopen(full, "r");
    long length = -1;
    if (from != NULL && fseek(from, 0, SEEK_END) == 0)
        length = ftell(from);
    char *bytes = length < 0 ? NULL : calloc(1, (size_t)length + 1);
    if (bytes == NULL || fseek(from, 0, SEEK_SET) != 0 || fread(bytes, 1, (size_t)length, from) != (size_t)length)
        box_fail(box, "%s: %s", full, strerror(errno));
    fclose(from);
    *size = (size_t)length;
    return bytes;
}

static void run_program(struct box *box, char *const *arguments)
{
    pid_t pid;
    int status;
    int error = posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ);
    if (error != 0)
        box_fail(box, "%s: %s", arguments[0], strerror(error));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            box_fail(box, "%s: %s", arguments[0], strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        box_fail(box, "%s failed", arguments[0]);
}

/* "name=file" with a folder put before the file: the case's own for "./", else that of the build. */
static char *module_argument(struct box *box, const char *module)
{
    const char *equals = strchr(module, '=');
    char *argument;
    if (equals == NULL)
        box_fail(box, "module '%s': expected NAME=FILE", module);
    const char *folder = strncmp(equals + 1, "./", 2) == 0 ? box->directory : build_directory();
    if (asprintf(&argument, "%.*s=%s/%s", (int)(equals - module), module, folder, equals + 1) < 0)
        box_fail(box, "no memory");
    return argument;
}

static void make_image(struct box *box, const struct box_setup *setup)
{
    char elf[BOX_PATH_SIZE], tool[] = "tools/make-iso.sh";
    char *arguments[MAX_ARGUMENTS] = {tool, box->image, elf, box->conf};
    size_t first = 4, count = first;
    path(box, elf, build_directory(), "ringfence.elf");
    path(box, box->image, box->directory, "box.iso");
    for (; setup->modules != NULL && setup->modules[count - first] != NULL; count++) {
        if (count + 1 == MAX_ARGUMENTS)
            box_fail(box, "too many modules, expected at most %d", MAX_ARGUMENTS - 5);
        arguments[count] = module_argument(box, setup->modules[count - first]);
    }
    run_program(box, arguments);
    while (count > first)
        free(arguments[--count]);
}

const char *box_machine(void)
{
    static char engine[32];
    const char *given = getenv("RINGFENCE_ENGINE");
    if (given != NULL && *given != '\0')
        return given;
    if (engine[0] == '\0') {
        FILE *pipe = popen("tools/emulate.sh choose", "r");
        if (pipe != NULL) {
            if (fscanf(pipe, "%31s", engine) != 1)
                engine[0] = '\0';
            pclose(pipe);
        }
    }
    return engine;
}

bool box_clock_is_exact(void) { return strncmp(box_machine(), "bochs", 5) == 0 && !is_nested(); }

/* Whether the word stands in `text`, between spaces. */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        if (strchr(" \t\n", at[length]) != NULL && (at == text || strchr(" \t", at[-1]) != NULL))
            return true;
    return false;
}

/* A line "PROGRAM/NAME MACHINE ... # reason" of the list of cases; the real thing stands in for Bochs's VT-x. */
static void skip_elsewhere(struct box *box, const char *name)
{
    char line[BOX_LINE_SIZE];
    const char *machine = strcmp(box_machine(), "kvm") == 0 ? "bochs-vmx" : box_machine();
    FILE *cases = fopen("tests/system/cases", "r");
    if (cases == NULL)
        box_fail(box, "tests/system/cases: %s", strerror(errno));
    bool skipped = false;
    while (!skipped && fgets(line, sizeof line, cases) != NULL) {
        char *reason = strchr(line, '#'), *slash = strchr(line, '/');
        if (reason == NULL || reason == line || slash == NULL || slash > reason)
            continue;
        *reason++ = '\0';
        size_t length = strcspn(slash + 1, " \t");
        skipped = strlen(name) == length && strncmp(slash + 1, name, length) == 0 && !has_word(slash, machine);
        if (skipped)
            printf("             '%s' not on %s:%s", name, machine, reason);
    }
    fclose(cases);
    if (skipped)
        skip();
}

void box_boot(struct box *box, const struct box_setup *setup, const char *image)
{
    skip_elsewhere(box, setup->name);
    char log[BOX_PATH_SIZE], error[BOX_PATH_SIZE + 128];
    if (box->directory[0] == '\0')
        make_directory(box, setup->name);
    path(box, log, box->directory, "console.log");
    box->log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (box->log < 0)
        box_fail(box, "%s: %s", log, strerror(errno));
    box->length = box->at = 0;
    if (box->text != NULL)
        box->text[0] = '\0'; /* of a machine before this one */
    box->ended = false;
    box->limit = limit_seconds(setup);
    if (box->started == 0)
        box->started = monotonic_seconds();
    struct emulator_setup machine = {.engine = setup->engine != NULL ? setup->engine : box_machine(),
                                     .image = image,
                                     .directory = box->directory,
                                     .cpus = setup->cpus != 0 ? setup->cpus : 1,
                                     .memory_mib = setup->memory_mib != 0 ? setup->memory_mib : 512};
    if (!emulator_start(&box->emulator, &machine, error, sizeof error))
        box_fail(box, "%s", error);
}

void box_start(struct box *box, const struct box_setup *setup)
{
    skip_elsewhere(box, setup->name);
    make_directory(box, setup->name);
    write_conf(box, setup->conf);
    make_image(box, setup);
    box_boot(box, setup, box->image);
}

static void append(struct box *box, const char *bytes, size_t count)
{
    if (box->capacity - box->length <= count) {
        box->capacity = (box->length + count + 1) * 2;
        box->text = realloc(box->text, box->capacity);
        if (box->text == NULL)
            abort();
    }
    /* The transcript is searched as a string: a zero byte would hide what follows. */
    for (size_t i = 0; i < count; i++)
        box->text[box->length++] = bytes[i] != '\0' ? bytes[i] : '?';
    box->text[box->length] = '\0';
}

/* Takes what comes within one step. */
static void pump(struct box *box)
{
    char bytes[CHUNK];
    struct pollfd wait = {.fd = box->emulator.line, .events = POLLIN};
    if (poll(&wait, 1, STEP_MILLISECONDS) <= 0)
        return;
    ssize_t count = read(box->emulator.line, bytes, sizeof bytes);
    if (count > 0) {
        append(box, bytes, (size_t)count);
        if (write(box->log, bytes, (size_t)count) != count)
            box_fail(box, "console.log: %s", strerror(errno));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        box->ended = true;
    }
}

/* The end of the line at `from`, or NULL when it is not complete yet. */
static char *line_end(const struct box *box, size_t from)
{
    return box->text == NULL ? NULL : strchr(box->text + from, '\n');
}

static bool find_text(struct box *box, const void *wanted)
{
    const char *text = wanted;
    const char *found = box->text == NULL ? NULL : strstr(box->text + box->at, text);
    if (found == NULL)
        return false;
    box->at = (size_t)(found - box->text) + strlen(text);
    return true;
}

/* Consumes the complete lines one by one until one matches. */
static bool find_line(struct box *box, const void *wanted)
{
    for (char *end; (end = line_end(box, box->at)) != NULL;) {
        size_t length = (size_t)(end - box->text) - box->at;
        size_t kept = length < BOX_LINE_SIZE ? length : BOX_LINE_SIZE - 1;
        memcpy(box->line, box->text + box->at, kept);
        while (kept > 0 && box->line[kept - 1] == '\r')
            kept--;
        box->line[kept] = '\0';
        box->at += length + 1;
        if (regexec(wanted, box->line, BOX_MATCHES, box->matches, 0) == 0)
            return true;
    }
    return false;
}

static void wait_for(struct box *box, bool (*find)(struct box *, const void *), const void *wanted, const char *name)
{
    time_t end = monotonic_seconds() + box->limit;
    while (!find(box, wanted)) {
        if (box->ended)
            box_fail(box, "the machine ended before '%s' came", name);
        if (monotonic_seconds() >= end)
            box_fail(box, "'%s' did not come within %ld s", name, (long)box->limit);
        pump(box);
    }
}

void box_expect(struct box *box, const char *text) { wait_for(box, find_text, text, text); }

const char *box_expect_line(struct box *box, const char *expression)
{
    regex_t compiled;
    if (regcomp(&compiled, expression, REG_EXTENDED) != 0)
        box_fail(box, "'%s' is no extended regular expression", expression);
    wait_for(box, find_line, &compiled, expression);
    regfree(&compiled);
    return box->line;
}

uint64_t box_number(struct box *box, unsigned group)
{
    if (group >= BOX_MATCHES || box->matches[group].rm_so < 0)
        box_fail(box, "the line '%s' has no group %u", box->line, group);
    errno = 0;
    char *end, *start = box->line + box->matches[group].rm_so;
    uint64_t value = strtoull(start, &end, 10);
    if (errno != 0 || end != box->line + box->matches[group].rm_eo)
        box_fail(box, "group %u of '%s' is no number", group, box->line);
    return value;
}

void box_expect_end(struct box *box)
{
    time_t end = monotonic_seconds() + box->limit;
    while (!box->ended && !emulator_ended(&box->emulator)) {
        if (monotonic_seconds() >= end)
            box_fail(box, "the machine did not end within %ld s", (long)box->limit);
        pump(box);
    }
    box->ended = true;
}

bool box_expect_or_end(struct box *box, const char *text)
{
    time_t end = monotonic_seconds() + box->limit;
    while (!find_text(box, text)) {
        if (box->ended || emulator_ended(&box->emulator)) {
            box->ended = true;
            return false;
        }
        if (monotonic_seconds() >= end)
            box_fail(box, "neither '%s' nor the machine's end came within %ld s", text, (long)box->limit);
        pump(box);
    }
    return true;
}

bool box_is_silent(struct box *box, unsigned seconds)
{
    size_t length = box->length;
    time_t end = monotonic_seconds() + (time_t)seconds + 1; /* the first second has begun already */
    while (monotonic_seconds() < end && box->length == length && !box->ended)
        pump(box);
    return box->length == length && !box->ended && !emulator_ended(&box->emulator);
}

bool box_seen(const struct box *box, const char *text) { return box->text != NULL && strstr(box->text, text) != NULL; }

void box_send(struct box *box, const char *text)
{
    size_t left = strlen(text);
    time_t end = monotonic_seconds() + box->limit;
    while (left > 0) {
        ssize_t done = write(box->emulator.line, text, left);
        if (done > 0) {
            text += done;
            left -= (size_t)done;
        } else if (errno == EAGAIN && monotonic_seconds() < end) {
            pump(box);
        } else if (errno != EINTR) {
            box_fail(box, "could not send '%s': %s", text, strerror(errno));
        }
    }
}

void box_command(struct box *box, const char *command)
{
    box_send(box, command);
    box_expect(box, command);
    box_send(box, "\r");
}

void box_attach(struct box *box, const char *partition)
{
    char command[BOX_LINE_SIZE], answer[BOX_LINE_SIZE];
    snprintf(command, sizeof command, "attach %s", partition);
    snprintf(answer, sizeof answer, "[attached to %s;", partition);
    box_command(box, command);
    box_expect(box, answer);
    box_expect(box, "\n");
}

void box_detach(struct box *box)
{
    box_send(box, "\x1d");
    box_expect(box, "[detached]");
    box_expect(box, "ringfence> ");
}

void box_check_beat_line(struct box *box)
{
    uint64_t second = box_number(box, 1), beats = box_number(box, 2), missed = box_number(box, 3);
    if (beats < 1000 * second || (box_clock_is_exact() && missed != 0))
        box_fail(box, "%lu beats in %lu seconds, %lu missed, expected 1000 in each and 0 missed", beats, second,
                 missed);
}

void box_check_beats(struct box *box, const char *partition)
{
    char command[BOX_LINE_SIZE];
    snprintf(command, sizeof command, "stats %s", partition);
    box_command(box, command);
    box_expect_line(box, ": running, ([0-9]+)\\.[0-9]{3} s since its start");
    uint64_t now = box_number(box, 1);
    box_attach(box, partition);
    do
        box_expect_line(box, "^heartbeat: second ([0-9]+), ([0-9]+) beats, ([0-9]+) missed");
    while (box_number(box, 1) <= now);
    box_check_beat_line(box);
    box_detach(box);
}
