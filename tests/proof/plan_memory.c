#include "core/plan_memory.c"
