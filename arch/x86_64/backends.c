#include "arch/x86_64/backends.h"

#include "arch/x86_64/cpu.h"
#include "core/bytes.h"

static const struct {
    const char *vendor; /* of CPUID leaf 0 */
    const struct backend *backend;
} backends[] = {
    {"GenuineIntel", &vmx_backend},
    {"AuthenticAMD", &svm_backend},
    {"HygonGenuine", &svm_backend},
};

const struct backend *backend_choose(struct sink *errors)
{
    for (size_t i = 0; i < array_size(backends); i++)
        if (strcmp(cpu_vendor(), backends[i].vendor) == 0)
            return backends[i].backend;
    sink_print(errors, "CPU vendor '%s': there is no backend for it yet (known: GenuineIntel, AuthenticAMD)\n", cpu_vendor());
    return NULL;
}
