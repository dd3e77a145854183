/*
 * Starts tools/emulate.sh with a socket to connect to. The kernel picks the port, so machines can run side by side.
 */
#include "tools/emulator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECT_SECONDS = 60, POLL_MILLISECONDS = 100 };

/* A socket that listens on the loopback address; its number goes to *port. -1 with errno. */
static int open_listener(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* In the child. Bochs's terminal goes away with the process that holds it, and Bochs with its terminal. */
static void __attribute__((noreturn)) become_emulator(const struct emulator_setup *setup, uint16_t port, pid_t parent)
{
    char port_text[8], cpus[12], memory[12];
    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(cpus, sizeof cpus, "%u", setup->cpus);
    snprintf(memory, sizeof memory, "%u", setup->memory_mib);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    setpgid(0, 0); /* Ctrl-C on the terminal is for the launcher, which then stops us. */
    int none = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (none >= 0) {
        dup2(none, STDIN_FILENO);
        dup2(none, STDOUT_FILENO);
    }
    execl("tools/emulate.sh", "emulate.sh", setup->engine, setup->image, setup->directory, port_text, cpus, memory,
          (char *)NULL);
    _exit(127);
}

bool emulator_ended(struct emulator *emulator)
{
    if (emulator->pid != 0 && waitpid(emulator->pid, NULL, WNOHANG) == emulator->pid)
        emulator->pid = 0;
    return emulator->pid == 0;
}

/* -1 when the machine ended or did not connect in time. */
static int wait_for_line(struct emulator *emulator, int listener)
{
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    for (int waited = 0; waited < CONNECT_SECONDS * 1000; waited += POLL_MILLISECONDS) {
        if (poll(&wait, 1, POLL_MILLISECONDS) > 0)
            return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (emulator_ended(emulator))
            return -1;
    }
    return -1;
}

bool emulator_start(struct emulator *emulator, const struct emulator_setup *setup, char *error, size_t size)
{
    uint16_t port = 0;
    pid_t self = getpid();
    *emulator = (struct emulator){.line = -1};
    int listener = open_listener(&port);
    if (listener < 0) {
        snprintf(error, size, "no socket on 127.0.0.1 for the serial line: %s", strerror(errno));
        return false;
    }
    emulator->pid = fork();
    if (emulator->pid == 0)
        become_emulator(setup, port, self);
    if (emulator->pid < 0) {
        snprintf(error, size, "fork: %s", strerror(errno));
        emulator->pid = 0;
    } else {
        emulator->line = wait_for_line(emulator, listener);
        if (emulator->line < 0) {
            snprintf(error, size, "%s did not connect its COM1; see the logs in %s", setup->engine, setup->directory);
            emulator_stop(emulator);
        }
    }
    close(listener);
    return emulator->line >= 0;
}

void emulator_stop(struct emulator *emulator)
{
    if (emulator->line >= 0)
        close(emulator->line);
    emulator->line = -1;
    if (emulator->pid == 0)
        return;
    kill(emulator->pid, SIGKILL);
    while (waitpid(emulator->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    emulator->pid = 0;
}
