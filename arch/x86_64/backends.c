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

bool backend_features_print(const struct backend_feature *features, size_t count, struct sink *out)
{
    bool all = true;
    for (const struct backend_feature *f = features; f < features + count; f++) {
        const char *verdict = f->there ? "yes" : f->needed ? "MISSING: " : "no: ";
        sink_print(out, "  %-24s %s%s\n", f->name, verdict, f->there ? "" : f->without);
        all = all && (f->there || !f->needed);
    }
    return all;
}

bool backend_presence_print(const char *name, bool there, bool locked_off, const char *setting, struct sink *out)
{
    if (!there)
        sink_print(out, "  %-24s MISSING: this CPU has none, or an outer hypervisor hides it\n", name);
    else if (locked_off)
        sink_print(out, "  %-24s LOCKED OFF by firmware: enable %s, then switch the box off and on\n", name, setting);
    else
        sink_print(out, "  %-24s yes\n", name);
    return there && !locked_off;
}

const struct backend *backend_choose(struct sink *errors)
{
    for (size_t i = 0; i < array_size(backends); i++)
        if (strcmp(cpu_vendor(), backends[i].vendor) == 0)
            return backends[i].backend;
    sink_print(errors, "CPU vendor '%s': there is no backend for it yet (known: GenuineIntel, AuthenticAMD)\n",
               cpu_vendor());
    return NULL;
}
