#include "core/kvm_clock.h"

#include "core/cpu.h"

struct kvm_time {
    uint32_t version; /* odd while it is being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad[2];
};
_Static_assert(sizeof(struct kvm_time) == 32, "pvclock_vcpu_time_info");

struct kvm_wall {
    uint32_t version, seconds, nanoseconds;
};
_Static_assert(sizeof(struct kvm_wall) == 12, "pvclock_wall_clock");

#define KVM_TIME_ENABLED  1u
#define KVM_TIME_STABLE   1u
#define NANOSECONDS       1000000000ull

void kvm_clock_scale(uint64_t tsc_hz, uint32_t *multiplier, int8_t *shift)
{
    /* Nanoseconds in a tick with 32 bits behind the point, shifted until the number has 32 bits in all. */
    uint64_t scaled = tsc_hz == 0 ? 0 : (NANOSECONDS << 32) / tsc_hz;

    *shift = 0;
    for (; scaled > UINT32_MAX; scaled >>= 1)
        (*shift)++;
    for (; scaled != 0 && scaled <= UINT32_MAX / 2; scaled <<= 1)
        (*shift)--;
    *multiplier = (uint32_t)scaled;
}

bool kvm_clock_place(struct vcpu *vcpu, gpa_t place)
{
    const struct partition *p = vcpu->partition;
    struct kvm_time time = {
        .version = 2,
        .tsc_timestamp = p->started_at, /* the guest's clock starts at 0 with it, on every vCPU */
        .system_time = 0,
        .flags = KVM_TIME_STABLE,
    };
    kvm_clock_scale(p->machine->tsc_hz, &time.tsc_to_system_mul, &time.tsc_shift);
    if ((place.raw & KVM_TIME_ENABLED) &&
        !partition_write(p, gpa(place.raw & ~(uint64_t)KVM_TIME_ENABLED), &time, sizeof time))
        return false;
    vcpu->kvm_clock = place;
    return true;
}

bool kvm_clock_write_wall(struct vcpu *vcpu, gpa_t place)
{
    const struct partition *p = vcpu->partition;
    uint64_t seconds = p->machine->wall_clock + p->started_at / p->machine->tsc_hz;
    struct kvm_wall wall = {.version = 2, .seconds = (uint32_t)seconds};
    return partition_write(p, place, &wall, sizeof wall);
}
