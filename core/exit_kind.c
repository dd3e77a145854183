#include "core/exit.h"

static const char *const names[EXIT_KINDS] = {
#define X(name, text) [EXIT_##name] = (text),
    EXIT_KIND_LIST(X)
#undef X
};

const char *exit_kind_name(enum exit_kind kind) { return kind < EXIT_KINDS ? names[kind] : "?"; }
