#include "core/machine_check.h"

#include "core/cpu.h"

/* SDM vol. 3, "Machine-Check Global Control MSRs" and "Error-Reporting Register Banks". */
enum {
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MCG_CTL = 0x17b,
    MSR_MC0_CTL = 0x400,
    MSR_MC0_STATUS = 0x401,
    MSR_MC0_ADDR = 0x402,
    MSRS_PER_BANK = 4,
    MCG_CAP_COUNT = 0xff,
    MCG_CAP_CTL = 1u << 8, /* MCG_CTL is there */
    MCG_STATUS_RIPV = 1u << 0,
    MCG_STATUS_EIPV = 1u << 1,
    MAX_BANKS = 32, /* of these numbers; later ones lie among other registers */
};
#define MC_STATUS_VALID         (1ull << 63)
#define MC_STATUS_OVERFLOW      (1ull << 62)
#define MC_STATUS_UNCORRECTED   (1ull << 61)
#define MC_STATUS_ADDRESS_VALID (1ull << 58)
#define MC_STATUS_CONTEXT_LOST  (1ull << 57)

/* An uncorrected error after which another was lost may have been one of any kind. */
static enum machine_check_kind kind_of(uint64_t status)
{
    if (!(status & MC_STATUS_UNCORRECTED))
        return MACHINE_CHECK_ELSEWHERE;
    return status & (MC_STATUS_CONTEXT_LOST | MC_STATUS_OVERFLOW) ? MACHINE_CHECK_CONTEXT_LOST
                                                                  : MACHINE_CHECK_CONTAINED;
}

static void bank_take(uint32_t bank, struct machine_check *out)
{
    uint64_t status;
    if (!cpu_msr_read(MSR_MC0_STATUS + bank * MSRS_PER_BANK, &status) || !(status & MC_STATUS_VALID))
        return;
    enum machine_check_kind kind = kind_of(status);
    if (out->status == 0 || kind > out->kind) {
        out->bank = bank;
        out->status = status;
        out->address = 0;
        if ((status & MC_STATUS_ADDRESS_VALID) && !cpu_msr_read(MSR_MC0_ADDR + bank * MSRS_PER_BANK, &out->address))
            out->address = 0;
    }
    if (kind > out->kind)
        out->kind = kind;
    /* A bank that cannot be cleared shows the same error again; nothing else depends on it. */
    (void)!cpu_msr_write(MSR_MC0_STATUS + bank * MSRS_PER_BANK, 0);
}

void machine_check_take(struct machine_check *out)
{
    uint64_t capability;
    *out = (struct machine_check){.kind = MACHINE_CHECK_CONTEXT_LOST};
    if (!cpu_msr_read(MSR_MCG_CAP, &capability) || !cpu_msr_read(MSR_MCG_STATUS, &out->global))
        return;
    out->kind = MACHINE_CHECK_ELSEWHERE;
    uint32_t count = (uint32_t)(capability & MCG_CAP_COUNT);
    for (uint32_t bank = 0; bank < count && bank < MAX_BANKS; bank++)
        bank_take(bank, out);
    /* Without a place to go back to, or that the error belongs to, nothing can go on. */
    if (!(out->global & (MCG_STATUS_RIPV | MCG_STATUS_EIPV)))
        out->kind = MACHINE_CHECK_CONTEXT_LOST;
    else if (!(out->global & MCG_STATUS_RIPV) && out->kind == MACHINE_CHECK_ELSEWHERE)
        out->kind = MACHINE_CHECK_CONTAINED;
    (void)!cpu_msr_write(MSR_MCG_STATUS, 0); /* while "in progress" stands there, the next one shuts the CPU down */
}

void machine_check_begin(struct machine_check *old)
{
    uint64_t capability;
    machine_check_take(old);
    if (!cpu_msr_read(MSR_MCG_CAP, &capability))
        return;
    /* A register that refuses has nothing to switch on. */
    if (capability & MCG_CAP_CTL)
        (void)!cpu_msr_write(MSR_MCG_CTL, UINT64_MAX);
    uint32_t count = (uint32_t)(capability & MCG_CAP_COUNT);
    for (uint32_t bank = 0; bank < count && bank < MAX_BANKS; bank++)
        (void)!cpu_msr_write(MSR_MC0_CTL + bank * MSRS_PER_BANK, UINT64_MAX);
}
