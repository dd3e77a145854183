#include "core/run.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"

enum { CONSOLE_HZ = 1000 };

static void console_tick(uint64_t period)
{
    static uint64_t next; /* of the one console CPU */
    uint64_t now = cpu_clock();
    if (now < next)
        return;
    next = now + period;
    console_service();
}

void run_cpu(const struct backend *backend, struct vcpu *vcpu, bool console, uint64_t tsc_hz)
{
    uint64_t period = tsc_hz / CONSOLE_HZ;
    struct exit exit;
    if (console && vcpu != NULL && !backend->set_timer(vcpu, period))
        log_line("CPU %u cannot serve the console while its guest runs: no timer", cpu_current());
    for (;;) {
        /* Before the looks below: a kick that comes after them must not be forgotten. */
        cpu_kick_taken();
        if (console)
            console_tick(period);
        if (vcpu != NULL && lifecycle_obey(vcpu, backend)) {
            backend->run(vcpu, &exit);
            vcpu->stats.exits[exit.kind]++;
            exit_handle(vcpu, backend, &exit);
        } else if (!console) {
            cpu_idle();
        } else {
            __builtin_ia32_pause();
        }
    }
}
