/* VMRUN's rules: a VMCB as the backend writes it passes, and each rule broken alone is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86_64/svm/entry_check.h"

#include <string.h>

static struct vmcb vmcb;
static struct svm_entry_limits limits;

#define CR0_PE    0x1u
#define CR0_WP    0x10000u
#define CR0_NW    0x20000000u
#define CR0_CD    0x40000000u
#define CR0_PG    0x80000000u
#define CR4_PAE   0x20u
#define CR4_CET   0x800000u
#define EFER_LME  0x100u
#define EFER_LMA  0x400u
#define EFER_NXE  0x800u
#define EFER_SVME 0x1000u
#define CS_L      0x200u
#define CS_D      0x400u

/* A guest in 64-bit mode. */
static int fresh(void **state)
{
    (void)state;
    memset(&vmcb, 0, sizeof vmcb);
    limits = (struct svm_entry_limits){.physical_bits = 40, .asids = 16, .efer = 0x1d01, .cr4 = 0x8007ff};
    vmcb.control.intercept1 = SVM_INTERCEPT1_MSR | SVM_INTERCEPT1_IOIO;
    vmcb.control.intercept2 = SVM_INTERCEPT2_VMRUN;
    vmcb.control.msrpm_base = 0x10000;
    vmcb.control.iopm_base = 0x20000;
    vmcb.control.asid = 1;
    vmcb.control.nested_control = SVM_NESTED_PAGING;
    vmcb.control.nested_cr3 = 0x30000;
    vmcb.save.efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE;
    vmcb.save.cr0 = CR0_PG | CR0_WP | CR0_PE;
    vmcb.save.cr3 = 0x1000;
    vmcb.save.cr4 = CR4_PAE;
    vmcb.save.cs.attributes = 0xa9b;
    vmcb.save.dr6 = 0xffff0ff0;
    vmcb.save.dr7 = 0x400;
    vmcb.save.guest_pat = 0x0007040600070406;
    return 0;
}

static void expect_good(void)
{
    const char *sentence = svm_entry_check(&vmcb, &limits);
    if (sentence != NULL)
        fail_msg("a legal VMCB is refused: %s", sentence);
}

static void expect_bad(const char *words)
{
    const char *sentence = svm_entry_check(&vmcb, &limits);
    if (sentence == NULL)
        fail_msg("no sentence, expected one with '%s'", words);
    else if (strstr(sentence, words) == NULL)
        fail_msg("'%s', expected '%s' in it", sentence, words);
    fresh(NULL);
}

static void modes_of_a_start_are_legal(void **state)
{
    (void)state;
    expect_good();
    /* flat protected mode, then real mode with caches off as after a reset */
    vmcb.save.efer = EFER_SVME;
    vmcb.save.cr4 = 0;
    vmcb.save.cr0 = CR0_PE | 0x10;
    vmcb.save.cs.attributes = 0xc9b;
    expect_good();
    vmcb.save.cr0 = CR0_CD | CR0_NW | 0x10;
    vmcb.save.cs.attributes = 0x09b;
    expect_good();
    vmcb.save.cr0 = CR0_CD | CR0_PE;
    expect_good();
    /* CS.L and CS.D together only count in long mode */
    vmcb.save.cs.attributes = CS_L | CS_D;
    expect_good();
}

static void control_registers(void **state)
{
    (void)state;
    vmcb.save.efer &= ~(uint64_t)EFER_SVME;
    expect_bad("EFER.SVME is 0");
    vmcb.save.cr0 |= CR0_NW;
    expect_bad("CR0.NW is 1 while CR0.CD is 0");
    vmcb.save.cr0 |= 1ull << 32;
    expect_bad("CR0 has a bit set above bit 31");
    vmcb.save.cr0 |= 1ull << 63;
    expect_bad("CR0 has a bit set above bit 31");
    vmcb.save.cr3 = 1ull << 40;
    expect_bad("CR3 has an address bit");
    vmcb.save.cr3 = (1ull << 40) - 1;
    expect_good();
    vmcb.save.cr4 |= 1ull << 12;
    expect_bad("CR4 has a bit set");
    vmcb.save.cr4 |= 1ull << 63;
    expect_bad("CR4 has a bit set");
}

/* Outside long mode the upper half of CR3 is not looked at. */
static void cr3_counts_in_long_mode_only(void **state)
{
    (void)state;
    vmcb.save.efer = EFER_SVME;
    vmcb.save.cr3 = 1ull << 40;
    expect_good();
    vmcb.save.efer = EFER_SVME | EFER_LME; /* about to become long mode: LMA is not there yet */
    expect_bad("CR3 has an address bit");
}

static void debug_registers(void **state)
{
    (void)state;
    vmcb.save.dr6 |= 1ull << 32;
    expect_bad("DR6 has a bit set above");
    vmcb.save.dr7 |= 1ull << 63;
    expect_bad("DR7 has a bit set above");
}

static void long_mode(void **state)
{
    (void)state;
    vmcb.save.efer |= 1ull << 14;
    expect_bad("EFER has a bit set");
    vmcb.save.cr4 &= ~(uint64_t)CR4_PAE;
    expect_bad("CR4.PAE is 0");
    vmcb.save.cr0 &= ~(uint64_t)CR0_PE;
    expect_bad("CR0.PE is 0");
    vmcb.save.cs.attributes |= CS_D;
    expect_bad("CS.L and CS.D");
    vmcb.save.cs.attributes = (uint16_t)((vmcb.save.cs.attributes | CS_D) & ~CS_L);
    expect_good();
    fresh(NULL);
    vmcb.save.cr4 |= CR4_CET;
    expect_good();
    vmcb.save.cr0 &= ~(uint64_t)CR0_WP;
    expect_bad("CR4.CET is 1 while CR0.WP is 0");
}

static void controls(void **state)
{
    (void)state;
    vmcb.control.intercept2 = 0;
    expect_bad("VMRUN intercept");
    vmcb.control.asid = 0;
    expect_bad("ASID is 0");
    vmcb.control.asid = 15;
    expect_good();
    vmcb.control.asid = 16;
    expect_bad("number of ASIDs");
}

static void permission_maps_end_inside_memory(void **state)
{
    (void)state;
    uint64_t end = 1ull << 40;
    vmcb.control.msrpm_base = end - 0x2000;
    expect_good();
    vmcb.control.msrpm_base = end - 0x1000;
    expect_bad("MSR permission map");
    vmcb.control.msrpm_base = UINT64_MAX;
    expect_bad("MSR permission map");
    vmcb.control.iopm_base = end - 0x3000;
    expect_good();
    vmcb.control.iopm_base = end - 0x2000;
    expect_bad("I/O permission map");
    /* a map that is not used is not looked at */
    vmcb.control.msrpm_base = vmcb.control.iopm_base = UINT64_MAX;
    vmcb.control.intercept1 = 0;
    expect_good();
}

static void inject(unsigned type, unsigned vector)
{
    vmcb.control.event_injection = SVM_EVENT_VALID | type << 8 | vector;
}

static void legal_events(void **state)
{
    (void)state;
    static const unsigned exceptions[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 21, 28, 29, 30};
    for (size_t i = 0; i < array_size(exceptions); i++) {
        inject(SVM_EVENT_EXCEPTION, exceptions[i]);
        expect_good();
    }
    inject(SVM_EVENT_INTERRUPT, 255);
    expect_good();
    inject(SVM_EVENT_NMI, 2);
    expect_good();
    inject(SVM_EVENT_SOFTWARE, 0x80);
    expect_good();
    /* not valid: nothing in it matters */
    vmcb.control.event_injection = 7u << 8 | 2;
    expect_good();
}

static void illegal_events(void **state)
{
    (void)state;
    static const unsigned types[] = {1, 5, 6, 7};
    for (size_t i = 0; i < array_size(types); i++) {
        inject(types[i], 32);
        expect_bad("reserved type");
    }
    inject(SVM_EVENT_EXCEPTION, 2);
    expect_bad("vector 2");
    static const unsigned vectors[] = {9, 15, 20, 31, 32, 255};
    for (size_t i = 0; i < array_size(vectors); i++) {
        inject(SVM_EVENT_EXCEPTION, vectors[i]);
        expect_bad("vector is no exception");
    }
}

static void nested_paging(void **state)
{
    (void)state;
    vmcb.control.nested_cr3 = 1ull << 40;
    expect_bad("nested CR3 passes the end");
    vmcb.control.nested_cr3 = 0x30020;
    expect_bad("nested CR3 has a reserved bit");
    vmcb.control.nested_cr3 = 0x30018; /* PWT and PCD are flags */
    expect_good();
    for (unsigned i = 0; i < 8; i++) {
        static const uint8_t illegal[] = {2, 3, 8, 0x80};
        for (size_t j = 0; j < array_size(illegal); j++) {
            vmcb.save.guest_pat &= ~(0xffull << 8 * i);
            vmcb.save.guest_pat |= (uint64_t)illegal[j] << 8 * i;
            expect_bad("PAT has a memory type");
        }
    }
    /* without nested paging none of it counts */
    vmcb.control.nested_control = 0;
    vmcb.control.nested_cr3 = UINT64_MAX;
    vmcb.save.guest_pat = UINT64_MAX;
    expect_good();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(modes_of_a_start_are_legal, fresh),
        cmocka_unit_test_setup(control_registers, fresh),
        cmocka_unit_test_setup(cr3_counts_in_long_mode_only, fresh),
        cmocka_unit_test_setup(debug_registers, fresh),
        cmocka_unit_test_setup(long_mode, fresh),
        cmocka_unit_test_setup(controls, fresh),
        cmocka_unit_test_setup(permission_maps_end_inside_memory, fresh),
        cmocka_unit_test_setup(legal_events, fresh),
        cmocka_unit_test_setup(illegal_events, fresh),
        cmocka_unit_test_setup(nested_paging, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
