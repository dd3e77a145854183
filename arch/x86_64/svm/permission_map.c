/*
 * APM vol. 2, "MSR Intercepts": two bits an MSR (read, write), a set bit exits. Three vectors of 2 KiB for MSRs
 * 0-1FFFh, C0000000h-C0001FFFh and C0010000h-C0011FFFh; MSRs outside always exit. "IOIO Intercepts": one bit a port.
 */
#include "arch/x86_64/heap.h"
#include "arch/x86_64/svm/svm.h"
#include "core/bytes.h"
#include "core/msr.h"

enum { MSRPM_SIZE = 8 * 1024, IOPM_SIZE = 12 * 1024, MSR_RANGE = 0x2000, VECTOR_SIZE = MSR_RANGE / 4 };
enum { EXIT_ON_READ = 1, EXIT_ON_WRITE = 2 };

static const uint32_t range_first[] = {0, 0xc0000000u, 0xc0010000u};

static uint8_t *msrpms[2]; /* direct mode, virtual mode */
static uint8_t *iopm;

static void give(uint8_t *msrpm, uint32_t number, uint8_t accesses)
{
    for (size_t range = 0; range < array_size(range_first); range++) {
        uint32_t index = number - range_first[range];
        if (number < range_first[range] || index >= MSR_RANGE)
            continue;
        uint8_t *byte = &msrpm[range * VECTOR_SIZE + index / 4];
        *byte = (uint8_t)(*byte & ~((unsigned)accesses << index % 4 * 2));
    }
}

static void msrpm_open(uint8_t *msrpm, bool virtual_interrupts)
{
    for (size_t i = 0; i < msr_rule_count; i++) {
        const struct msr_rule *rule = &msr_rules[i];
        for (uint32_t number = rule->first; number <= rule->last; number++) {
            if (number == MSR_IA32_EFER) /* efer.c: its SVME bit must stay set */
                continue;
            give(msrpm, number,
                 (uint8_t)((msr_is_direct(rule->read, virtual_interrupts) ? EXIT_ON_READ : 0) |
                           (msr_is_direct(rule->write, virtual_interrupts) ? EXIT_ON_WRITE : 0)));
        }
    }
}

/* Every port, every MSR exits. */
static bool map_take(uint8_t **map, size_t size)
{
    if (*map == NULL) {
        *map = heap_alloc(size);
        if (*map != NULL)
            memset(*map, 0xff, size);
    }
    return *map != NULL;
}

bool svm_permission_maps_create(bool virtual_interrupts)
{
    if (!map_take(&iopm, IOPM_SIZE) || !map_take(&msrpms[virtual_interrupts], MSRPM_SIZE))
        return false;
    msrpm_open(msrpms[virtual_interrupts], virtual_interrupts); /* each vCPU opens the same */
    return true;
}

hpa_t svm_msrpm(bool virtual_interrupts) { return heap_phys(msrpms[virtual_interrupts]); }
hpa_t svm_iopm(void) { return heap_phys(iopm); }
