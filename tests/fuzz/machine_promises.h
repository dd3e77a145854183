/* What struct machine promises to every later stage, whoever filled it. */
#pragma once

#include "core/machine.h"
#include "tests/fuzz/input.h"

static inline void require_regions(const struct machine *m)
{
    uint64_t end = 0;
    require(m->region_count <= MACHINE_MAX_REGIONS);
    for (uint32_t i = 0; i < m->region_count; i++) {
        require(range_valid(m->regions[i].range));
        require(m->regions[i].range.base >= end);
        require(m->regions[i].kind <= MEMORY_BAD);
        end = range_end(m->regions[i].range);
    }
}

static inline void require_cpus(const struct machine *m)
{
    require(m->cpu_count <= MACHINE_MAX_CPUS);
    for (uint32_t i = 0; i < m->cpu_count; i++)
        for (uint32_t j = 0; j < i; j++)
            require(m->cpus[i].apic_id != m->cpus[j].apic_id);
}

static inline void require_modules(const struct machine *m)
{
    require(m->module_count <= MACHINE_MAX_MODULES);
    for (uint32_t i = 0; i < m->module_count; i++) {
        require(range_valid(m->modules[i].range));
        require(strnlen(m->modules[i].name, MACHINE_MODULE_NAME_SIZE) < MACHINE_MODULE_NAME_SIZE);
    }
}
