/* VM-entry rules: legal states pass, and each rule broken alone gives its own sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/vmx_entry_state.h"

#include <string.h>

typedef struct vmx_entry_state state_t;
#define NONCANONICAL         ((uint64_t)1 << 63)
#define WIDE                 ((uint64_t)1 << 46)
#define SECOND(bits)         (s->secondary_controls |= (bits))
#define INJECT(type, vector) (s->entry_interruption_information = 0x80000000u | (type) << 8 | (vector))

static const struct vmx_segment data32 = {0x18, 0xc093, 0xffffffff, 0};
static const struct vmx_segment code32 = {0x10, 0xc09b, 0xffffffff, 0};
static const struct vmx_segment code64 = {0x10, 0xa09b, 0xffffffff, 0};
static const struct vmx_segment tss = {0x28, 0x8b, 0x67, 0};
static const struct vmx_segment unusable = {0, 0x10000, 0, 0};

static void capabilities(state_t *s)
{
    s->ia32_vmx_basic = 0x00d810000000002b;
    s->ia32_vmx_misc = 0x600401e0 & ~(uint64_t)0x40000000;
    s->ia32_vmx_ept_vpid_cap = 0x0f0106334141;
    s->ia32_vmx_cr0_fixed0 = 0x80000021;
    s->ia32_vmx_cr0_fixed1 = 0xffffffff;
    s->ia32_vmx_cr4_fixed0 = 0x2000;
    s->ia32_vmx_cr4_fixed1 = 0x3727ff;
    s->allowed_pin_based = (struct vmx_allowed){0x16, 0xff};
    s->allowed_primary = (struct vmx_allowed){0x0401e172, 0xfff9fffe};
    s->allowed_secondary = (struct vmx_allowed){0, 0x02577fff};
    s->allowed_exit = (struct vmx_allowed){0x36dff, 0x7fffff};
    s->allowed_entry = (struct vmx_allowed){0x11ff, 0xffff};
    s->physical_address_width = 46;
    s->linear_address_width = 48;
}

static void host(state_t *s)
{
    s->host_cr0 = 0x80010033;
    s->host_cr3 = 0x200000;
    s->host_cr4 = 0x2020;
    s->host_ia32_pat = 0x0007040600070406;
    s->host_ia32_efer = 0xd00;
    s->host_cs_selector = 0x8;
    s->host_ds_selector = s->host_es_selector = s->host_ss_selector = 0x10;
    s->host_tr_selector = 0x18;
    s->host_gdtr_base = s->host_idtr_base = s->host_tr_base = 0x300000;
    s->host_rip = 0x201000;
    s->exit_controls = 0x36fff | 1u << 19 | 1u << 21;
}

/* As a Linux kernel starts: flat segments, paging off, unrestricted guest. */
static void flat(state_t *s)
{
    *s = (state_t){0};
    capabilities(s);
    host(s);
    s->pin_based_controls = 0x16 | 1u << 3;
    s->primary_controls = 0x0401e172 | 1u << 31 | 1u << 28 | 1u << 25;
    s->secondary_controls = 1u << 1 | 1u << 5 | 1u << 7;
    s->vpid = 1;
    s->eptp = 0x1000000 | 3 << 3 | 6;
    s->io_bitmap_a_address = 0x1000;
    s->io_bitmap_b_address = 0x2000;
    s->msr_bitmap_address = 0x3000;
    s->entry_controls = 0x11ff | 1u << 14 | 1u << 15;
    s->guest_cr0 = 0x31;
    s->guest_cr4 = 0x2000;
    s->guest_dr7 = 0x400;
    s->guest_ia32_pat = 0x0007040600070406;
    s->guest_cs = code32;
    s->guest_ds = s->guest_es = s->guest_fs = s->guest_gs = s->guest_ss = data32;
    s->guest_tr = tss;
    s->guest_ldtr = unusable;
    s->guest_rip = 0x1000000;
    s->guest_rflags = 2;
    s->vmcs_link_pointer = UINT64_MAX;
}

static void real(state_t *s)
{
    flat(s);
    s->guest_cr0 = 0x30;
    struct vmx_segment segment = {0, 0x93, 0xffff, 0};
    s->guest_ds = s->guest_es = s->guest_fs = s->guest_gs = s->guest_ss = segment;
    s->guest_cs = (struct vmx_segment){0xf000, 0x9b, 0xffff, 0xffff0000};
    s->guest_ldtr = (struct vmx_segment){0, 0x82, 0xffff, 0};
    s->guest_rip = 0xfff0;
}

static void long_mode(state_t *s)
{
    flat(s);
    s->guest_cr0 = 0x80050033;
    s->guest_cr4 = 0x2020;
    s->guest_ia32_efer = 0xd01;
    s->entry_controls |= 1u << 9;
    s->guest_cs = code64;
    s->guest_ss = s->guest_ds = s->guest_es = unusable;
    s->guest_fs = s->guest_gs = unusable;
    s->guest_fs.base = 0x7fff12345678;
    s->guest_gs.base = 0xffff888000000000;
    s->guest_rip = 0xffffffff81000000;
}

/* Without unrestricted guest: 32-bit paging, and virtual-8086 code. */
static void restricted(state_t *s)
{
    flat(s);
    s->secondary_controls &= ~(1u << 7);
    s->guest_cr0 = 0x80000031;
}

static void v86(state_t *s)
{
    restricted(s);
    s->guest_rflags = 0x20002;
    struct vmx_segment segment = {0x1234, 0xf3, 0xffff, 0x12340};
    s->guest_cs = s->guest_ds = s->guest_es = s->guest_fs = s->guest_gs = s->guest_ss = segment;
}

static void pae(state_t *s)
{
    restricted(s);
    s->guest_cr4 = 0x2020;
    for (int i = 0; i < 4; i++)
        s->guest_pdpte[i] = 0x5001;
}

/* With the whole virtual APIC in use. */
static void apic(state_t *s)
{
    flat(s);
    s->pin_based_controls |= 1u << 0 | 1u << 7;
    s->primary_controls |= 1u << 21;
    s->secondary_controls |= 1u << 0 | 1u << 8 | 1u << 9;
    s->virtual_apic_address = 0x4000;
    s->apic_access_address = 0x5000;
    s->posted_interrupt_descriptor_address = 0x6040;
    s->posted_interrupt_notification_vector = 0xf2;
    s->exit_controls |= 1u << 15;
}

static void shadowed(state_t *s)
{
    flat(s);
    s->guest_rflags = 0x202;
    s->guest_interruptibility_state = 1;
}

/* Name, legal state to start from, the one change, the sentence that must come. */
#define BROKEN(X)                                                                                                      \
    X(pin, flat, s->pin_based_controls &= ~2u, "pin-based controls: a bit is not as IA32_VMX_PINBASED_CTLS allows")    \
    X(primary, flat, s->primary_controls |= 1,                                                                         \
      "primary processor-based controls: a bit is not as IA32_VMX_PROCBASED_CTLS allows")                              \
    X(secondary, flat, SECOND(1u << 31),                                                                               \
      "secondary processor-based controls: a bit is not as IA32_VMX_PROCBASED_CTLS2 allows")                           \
    X(exit_controls, flat, s->exit_controls |= 1u << 31,                                                               \
      "VM-exit controls: a bit is not as IA32_VMX_EXIT_CTLS allows")                                                   \
    X(entry_controls, flat, s->entry_controls &= ~1u, "VM-entry controls: a bit is not as IA32_VMX_ENTRY_CTLS allows") \
    X(targets, flat, s->cr3_target_count = 5, "CR3-target count is above what IA32_VMX_MISC allows")                   \
    X(io_a, flat, s->io_bitmap_a_address = 0x1800, "I/O-bitmap A address is not 4 KiB-aligned or too wide")            \
    X(io_b, flat, s->io_bitmap_b_address = WIDE, "I/O-bitmap B address is not 4 KiB-aligned or too wide")              \
    X(msr_bitmap, flat, s->msr_bitmap_address++, "MSR-bitmap address is not 4 KiB-aligned or too wide")                \
    X(narrow, flat, (s->ia32_vmx_basic |= (uint64_t)1 << 48, s->msr_bitmap_address = (uint64_t)1 << 32),               \
      "MSR-bitmap address is not 4 KiB-aligned or too wide")                                                           \
    X(vapic, apic, s->virtual_apic_address = 8, "virtual-APIC address is not 4 KiB-aligned or too wide")               \
    X(threshold, flat, (s->primary_controls |= 1u << 21, s->tpr_threshold = 16),                                       \
      "TPR threshold: bits 31:4 must be 0 without virtual-interrupt delivery")                                         \
    X(shadow_x2apic, flat, SECOND(1u << 4), "virtualize x2APIC mode needs use TPR shadow")                             \
    X(shadow_registers, flat, SECOND(1u << 8), "APIC-register virtualization needs use TPR shadow")                    \
    X(shadow_delivery, flat, SECOND(1u << 9), "virtual-interrupt delivery needs use TPR shadow")                       \
    X(apic_access, apic, s->apic_access_address |= 4, "APIC-access address is not 4 KiB-aligned or too wide")          \
    X(apic_both, apic, SECOND(1u << 4), "virtualize x2APIC mode and virtualize APIC accesses exclude each other")      \
    X(delivery, apic, s->pin_based_controls &= ~1u, "virtual-interrupt delivery needs external-interrupt exiting")     \
    X(virtual_nmis, flat, (s->pin_based_controls &= ~8u, s->pin_based_controls |= 1u << 5),                            \
      "virtual NMIs need NMI exiting")                                                                                 \
    X(nmi_window, flat, s->primary_controls |= 1u << 22, "NMI-window exiting needs virtual NMIs")                      \
    X(posted, apic, s->secondary_controls &= ~(1u << 9), "posted interrupts need virtual-interrupt delivery")          \
    X(posted_ack, apic, s->exit_controls &= ~(1u << 15), "posted interrupts need acknowledge interrupt on exit")       \
    X(posted_vector, apic, s->posted_interrupt_notification_vector = 256,                                              \
      "posted-interrupt notification vector is above 255")                                                             \
    X(posted_address, apic, s->posted_interrupt_descriptor_address = 0x6020,                                           \
      "posted-interrupt descriptor address is not 64-byte-aligned or too wide")                                        \
    X(vpid_0, flat, s->vpid = 0, "VPID must be 1 to 65535")                                                            \
    X(ept_type, flat, s->eptp ^= 2, "EPTP: memory type (bits 2:0) is none that the CPU offers")                        \
    X(ept_walk, flat, s->eptp += 8, "EPTP: page-walk length (bits 5:3) is none that the CPU offers")                   \
    X(ept_ad, flat, (s->eptp |= 64, s->ia32_vmx_ept_vpid_cap &= ~((uint64_t)1 << 21)),                                 \
      "EPTP: accessed and dirty flags (bit 6) are not offered by the CPU")                                             \
    X(ept_reserved, flat, s->eptp |= 0x100, "EPTP: a reserved bit is set")                                             \
    X(ept_wide, flat, s->eptp |= WIDE, "EPTP: a reserved bit is set")                                                  \
    X(ug_ept, flat, s->secondary_controls &= ~2u, "unrestricted guest needs enable EPT")                               \
    X(mbec_ept, restricted, (s->secondary_controls = 1u << 22), "mode-based execute control needs enable EPT")         \
    X(pml_ept, restricted, (s->secondary_controls = 1u << 17), "page-modification logging needs enable EPT")           \
    X(pml, flat, (SECOND(1u << 17), s->pml_address = 1), "PML address is not 4 KiB-aligned or too wide")               \
    X(ve, flat,                                                                                                        \
      (s->allowed_secondary.one_settings |= 1u << 18, SECOND(1u << 18), s->virtualization_exception_address = 1),      \
      "virtualization-exception information address is not 4 KiB-aligned or too wide")                                 \
    X(save_timer, flat, s->exit_controls |= 1u << 22,                                                                  \
      "save VMX-preemption timer value needs activate VMX-preemption timer")                                           \
    X(store, flat, (s->exit_msr_store_count = 1, s->exit_msr_store_address = 8),                                       \
      "VM-exit MSR-store area is not 16-byte-aligned or too wide")                                                     \
    X(load, flat, (s->exit_msr_load_count = 2, s->exit_msr_load_address = WIDE - 16),                                  \
      "VM-exit MSR-load area is not 16-byte-aligned or too wide")                                                      \
    X(event_1, flat, INJECT(1, 0), "injected event: type 1 is reserved")                                               \
    X(event_7, flat, (INJECT(7, 0), s->allowed_primary.one_settings &= ~(1u << 27)),                                   \
      "injected event: type 7 needs a CPU with the monitor trap flag")                                                 \
    X(event_nmi, flat, INJECT(2, 3), "injected event: an NMI has vector 2")                                            \
    X(event_exception, flat, INJECT(3, 32), "injected event: an exception's vector is at most 31")                     \
    X(event_7_vector, flat, INJECT(7, 1), "injected event: type 7 has vector 0")                                       \
    X(event_code, flat, INJECT(2, 0x802), "injected event: only a hardware exception has an error code")               \
    X(event_code_real, real, INJECT(3, 0x80d), "injected event: no error code is delivered while CR0.PE is 0")         \
    X(event_code_none, flat, INJECT(3, 0x806), "injected event: this exception has no error code")                     \
    X(event_code_needed, flat, INJECT(3, 13), "injected event: this exception needs its error code")                   \
    X(event_code_wide, flat, (INJECT(3, 0x80e), s->entry_exception_error_code = 0x10000),                              \
      "VM-entry exception error code: bits 31:16 must be 0")                                                           \
    X(event_reserved, flat, INJECT(2, 0x1002), "injected event: bits 30:12 must be 0")                                 \
    X(event_length, flat, INJECT(6, 3),                                                                                \
      "VM-entry instruction length of a software event must be 1 to 15, or 0 where IA32_VMX_MISC allows")              \
    X(event_length_16, flat, (INJECT(4, 3), s->entry_instruction_length = 16),                                         \
      "VM-entry instruction length of a software event must be 1 to 15, or 0 where IA32_VMX_MISC allows")              \
    X(entry_load, flat, (s->entry_msr_load_count = 1, s->entry_msr_load_address = 8),                                  \
      "VM-entry MSR-load area is not 16-byte-aligned or too wide")                                                     \
    X(smm, flat, s->entry_controls |= 1u << 10, "entry to SMM must be 0 outside SMM")                                  \
    X(dual, flat, s->entry_controls |= 1u << 11, "deactivate dual-monitor treatment must be 0 outside SMM")            \
    X(host_cr0, flat, s->host_cr0 &= ~(uint64_t)0x20,                                                                  \
      "host CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand")                                               \
    X(host_cr4, flat, s->host_cr4 &= ~(uint64_t)0x2000,                                                                \
      "host CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand")                                               \
    X(host_cr3, flat, s->host_cr3 |= WIDE, "host CR3: a bit beyond the physical-address width is set")                 \
    X(host_esp, flat, s->host_sysenter_esp = NONCANONICAL, "host IA32_SYSENTER_ESP is not canonical")                  \
    X(host_eip, flat, s->host_sysenter_eip = NONCANONICAL, "host IA32_SYSENTER_EIP is not canonical")                  \
    X(host_pat, flat, s->host_ia32_pat = 2, "host IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7")                       \
    X(host_efer, flat, s->host_ia32_efer |= 2, "host IA32_EFER: a reserved bit is set")                                \
    X(host_lma, flat, s->host_ia32_efer = 0, "host IA32_EFER: LMA and LME must equal host address-space size")         \
    X(host_rpl, flat, s->host_gs_selector = 3, "host selectors: RPL and TI (bits 2:0) must be 0")                      \
    X(host_cs, flat, s->host_cs_selector = 0, "host CS selector must not be 0")                                        \
    X(host_tr, flat, s->host_tr_selector = 0, "host TR selector must not be 0")                                        \
    X(host_fs, flat, s->host_fs_base = NONCANONICAL, "host FS base is not canonical")                                  \
    X(host_gs, flat, s->host_gs_base = NONCANONICAL, "host GS base is not canonical")                                  \
    X(host_gdtr, flat, s->host_gdtr_base = NONCANONICAL, "host GDTR base is not canonical")                            \
    X(host_idtr, flat, s->host_idtr_base = NONCANONICAL, "host IDTR base is not canonical")                            \
    X(host_tss, flat, s->host_tr_base = NONCANONICAL, "host TR base is not canonical")                                 \
    X(host_64, flat, (s->allowed_exit.zero_settings = 0, s->exit_controls &= ~(1u << 9), s->host_ia32_efer = 0),       \
      "host address-space size must be 1: the hypervisor runs in 64-bit mode")                                         \
    X(host_pae, flat, s->host_cr4 &= ~(uint64_t)0x20, "host CR4.PAE must be 1 with host address-space size")           \
    X(host_rip, flat, s->host_rip = NONCANONICAL, "host RIP is not canonical")                                         \
    X(cr0_ne, flat, s->guest_cr0 &= ~(uint64_t)0x20,                                                                   \
      "guest CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand")                                              \
    X(cr0_restricted, restricted, s->guest_cr0 = 0x31,                                                                 \
      "guest CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand")                                              \
    X(cr0_pg, real, s->guest_cr0 |= 0x80000000, "guest CR0: PG needs PE")                                              \
    X(cr4, flat, s->guest_cr4 |= 0x80000000, "guest CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand")       \
    X(long_pg, long_mode, s->guest_cr0 = 0x31, "IA-32e mode guest needs guest CR0.PG")                                 \
    X(long_pae, long_mode, s->guest_cr4 = 0x2000, "IA-32e mode guest needs guest CR4.PAE")                             \
    X(pcide, flat, s->guest_cr4 |= 1 << 17, "guest CR4.PCIDE needs IA-32e mode guest")                                 \
    X(cr3, flat, s->guest_cr3 = WIDE, "guest CR3: a bit beyond the physical-address width is set")                     \
    X(debugctl, flat, s->guest_ia32_debugctl = 8, "guest IA32_DEBUGCTL: a reserved bit is set")                        \
    X(dr7, flat, s->guest_dr7 |= (uint64_t)1 << 32, "guest DR7: bits 63:32 must be 0")                                 \
    X(esp, flat, s->guest_sysenter_esp = NONCANONICAL, "guest IA32_SYSENTER_ESP is not canonical")                     \
    X(eip, flat, s->guest_sysenter_eip = NONCANONICAL, "guest IA32_SYSENTER_EIP is not canonical")                     \
    X(pat, flat, s->guest_ia32_pat = 8, "guest IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7")                          \
    X(efer, flat, s->guest_ia32_efer = 4, "guest IA32_EFER: a reserved bit is set")                                    \
    X(efer_lma, flat, s->guest_ia32_efer = 0x500, "guest IA32_EFER: LMA must equal IA-32e mode guest")                 \
    X(efer_lme, restricted, s->guest_ia32_efer = 0x100, "guest IA32_EFER: LME must equal LMA while CR0.PG is 1")       \
    X(tr_ti, flat, s->guest_tr.selector |= 4, "guest TR selector: TI (bit 2) must be 0")                               \
    X(ldtr_ti, real, s->guest_ldtr.selector |= 4, "guest LDTR selector: TI (bit 2) must be 0")                         \
    X(ss_rpl, restricted, s->guest_ss.selector |= 3,                                                                   \
      "guest SS selector: RPL must equal that of CS without unrestricted guest")                                       \
    X(tr_base, flat, s->guest_tr.base = NONCANONICAL, "guest TR base is not canonical")                                \
    X(fs_base, flat, s->guest_fs.base = NONCANONICAL, "guest FS base is not canonical")                                \
    X(gs_base, flat, s->guest_gs.base = NONCANONICAL, "guest GS base is not canonical")                                \
    X(ldtr_base, real, s->guest_ldtr.base = NONCANONICAL, "guest LDTR base is not canonical")                          \
    X(cs_base, long_mode, s->guest_cs.base = (uint64_t)1 << 32, "guest CS base: bits 63:32 must be 0")                 \
    X(ss_base, flat, s->guest_ss.base = (uint64_t)1 << 32, "guest SS base: bits 63:32 must be 0")                      \
    X(ds_base, flat, s->guest_ds.base = (uint64_t)1 << 32, "guest DS base: bits 63:32 must be 0")                      \
    X(es_base, flat, s->guest_es.base = (uint64_t)1 << 32, "guest ES base: bits 63:32 must be 0")                      \
    X(cs_type, flat, s->guest_cs.access_rights = 0xc09a,                                                               \
      "guest CS access rights: type must be 9, 11, 13 or 15, or 3 with unrestricted guest")                            \
    X(cs_type_3, restricted, s->guest_cs.access_rights = 0xc093,                                                       \
      "guest CS access rights: type must be 9, 11, 13 or 15, or 3 with unrestricted guest")                            \
    X(ss_type, flat, s->guest_ss.access_rights = 0xc091, "guest SS access rights: type must be 3 or 7")                \
    X(ldtr_type, real, s->guest_ldtr.access_rights = 0x83, "guest LDTR access rights: type must be 2")                 \
    X(tr_type, flat, s->guest_tr.access_rights = 0x89,                                                                 \
      "guest TR access rights: type must be 11, or 3 outside IA-32e mode")                                             \
    X(tr_type_long, long_mode, s->guest_tr.access_rights = 0x83,                                                       \
      "guest TR access rights: type must be 11, or 3 outside IA-32e mode")                                             \
    X(cs_dpl_3, flat, (s->guest_cs.access_rights = 0xc0f3), "guest CS access rights: type 3 needs DPL 0")              \
    X(cs_dpl, flat, s->guest_cs.access_rights |= 0x60, "guest CS access rights: types 9 and 11 need the DPL of SS")    \
    X(cs_dpl_conforming, flat, s->guest_cs.access_rights = 0xc0fd,                                                     \
      "guest CS access rights: types 13 and 15 need a DPL not above that of SS")                                       \
    X(cs_long_db, long_mode, s->guest_cs.access_rights |= 0x4000,                                                      \
      "guest CS access rights: L and D/B exclude each other in IA-32e mode")                                           \
    X(ss_dpl, restricted, (s->guest_ss.access_rights |= 0x60, s->guest_cs.access_rights |= 0x60),                      \
      "guest SS access rights: DPL must equal the selector's RPL without unrestricted guest")                          \
    X(ss_dpl_real, real, (s->guest_ss.access_rights |= 0x60, s->guest_cs.access_rights |= 0x60),                       \
      "guest SS access rights: DPL must be 0 while CR0.PE is 0 or CS has type 3")                                      \
    X(tr_unusable, flat, s->guest_tr.access_rights |= 0x10000, "guest TR must be usable")                              \
    X(tr_unusable_v86, v86, s->guest_tr.access_rights |= 0x10000, "guest TR must be usable")                           \
    X(gdtr_base, flat, s->guest_gdtr.base = NONCANONICAL, "guest GDTR base is not canonical")                          \
    X(idtr_base, flat, s->guest_idtr.base = NONCANONICAL, "guest IDTR base is not canonical")                          \
    X(gdtr_limit, flat, s->guest_gdtr.limit = 0x10000, "guest GDTR limit: bits 31:16 must be 0")                       \
    X(idtr_limit, flat, s->guest_idtr.limit = 0x10000, "guest IDTR limit: bits 31:16 must be 0")                       \
    X(rip_wide, flat, s->guest_rip = (uint64_t)1 << 32, "guest RIP: bits 63:32 must be 0 outside 64-bit mode")         \
    X(rip, long_mode, s->guest_rip = NONCANONICAL, "guest RIP is not canonical")                                       \
    X(flags_3, flat, s->guest_rflags |= 8, "guest RFLAGS: a reserved bit is set")                                      \
    X(flags_22, flat, s->guest_rflags |= 1 << 22, "guest RFLAGS: a reserved bit is set")                               \
    X(flags_1, flat, s->guest_rflags = 0, "guest RFLAGS: bit 1 must be 1")                                             \
    X(flags_if, flat, INJECT(0, 0x20), "guest RFLAGS: IF must be 1 to inject an external interrupt")                   \
    X(activity, flat, s->guest_activity_state = 4, "guest activity state must be 0 to 3")                              \
    X(activity_offer, flat, (s->guest_activity_state = 2, s->ia32_vmx_misc &= ~(uint64_t)0x80),                        \
      "guest activity state is none that IA32_VMX_MISC offers")                                                        \
    X(activity_dpl, v86, s->guest_activity_state = 1, "guest activity state HLT needs DPL 0 in SS")                    \
    X(activity_shadow, shadowed, s->guest_activity_state = 1,                                                          \
      "guest activity state must be active while STI or MOV SS block")                                                 \
    X(activity_event, flat, (s->guest_activity_state = 1, INJECT(3, 6)),                                               \
      "guest activity state does not allow the injected event")                                                        \
    X(activity_shutdown, flat, (s->guest_activity_state = 2, s->guest_rflags = 0x202, INJECT(0, 0x20)),                \
      "guest activity state does not allow the injected event")                                                        \
    X(activity_sipi, flat, (s->guest_activity_state = 3, INJECT(2, 2)),                                                \
      "guest activity state does not allow the injected event")                                                        \
    X(blocking_bits, flat, s->guest_interruptibility_state = 0x20,                                                     \
      "guest interruptibility state: bits 31:4 must be 0")                                                             \
    X(blocking_both, shadowed, s->guest_interruptibility_state = 3,                                                    \
      "guest interruptibility state: STI and MOV SS exclude each other")                                               \
    X(blocking_if, shadowed, s->guest_rflags = 2, "guest interruptibility state: blocking by STI needs RFLAGS.IF")     \
    X(blocking_external, shadowed, INJECT(0, 0x20),                                                                    \
      "guest interruptibility state: an external interrupt cannot be injected while STI or MOV SS block")              \
    X(blocking_nmi_ss, flat, (s->guest_interruptibility_state = 2, INJECT(2, 2)),                                      \
      "guest interruptibility state: an NMI cannot be injected while MOV SS blocks")                                   \
    X(blocking_nmi_sti, shadowed, INJECT(2, 2),                                                                        \
      "guest interruptibility state: some CPUs do not inject an NMI while STI blocks")                                 \
    X(blocking_smi, flat, s->guest_interruptibility_state = 4,                                                         \
      "guest interruptibility state: blocking by SMI must be 0 outside SMM")                                           \
    X(blocking_nmi, flat, (s->pin_based_controls |= 1u << 5, s->guest_interruptibility_state = 8, INJECT(2, 2)),       \
      "guest interruptibility state: an NMI cannot be injected while NMIs are blocked")                                \
    X(pending, flat, s->guest_pending_debug_exceptions = 0x10,                                                         \
      "guest pending debug exceptions: a reserved bit is set")                                                         \
    X(pending_bs, shadowed, s->guest_rflags |= 0x100,                                                                  \
      "guest pending debug exceptions: BS must be 1 while TF is 1 and STI, MOV SS or HLT hold it back")                \
    X(pending_no_bs, shadowed, s->guest_pending_debug_exceptions = 0x4000,                                             \
      "guest pending debug exceptions: BS must be 0 while TF is 0 or BTF is 1 and STI, MOV SS or HLT hold it back")    \
    X(pending_rtm, flat, s->guest_pending_debug_exceptions = 0x10000,                                                  \
      "guest pending debug exceptions: RTM goes with bit 12 and nothing else")                                         \
    X(pending_rtm_ss, flat, (s->guest_pending_debug_exceptions = 0x11000, s->guest_interruptibility_state = 2),        \
      "guest pending debug exceptions: RTM must be 0 while MOV SS blocks")                                             \
    X(link_low, flat, s->vmcs_link_pointer = 8,                                                                        \
      "VMCS link pointer must be all ones, or 4 KiB-aligned and not too wide")                                         \
    X(pdpte, pae, s->guest_pdpte[3] |= 2, "guest PDPTE: a reserved bit is set")                                        \
    X(pdpte_wide, pae, s->guest_pdpte[0] |= WIDE, "guest PDPTE: a reserved bit is set")                                \
    X(vm_long, v86, (s->entry_controls |= 1u << 9, s->guest_cr4 |= 0x20, s->guest_ia32_efer = 0x500),                  \
      "guest RFLAGS: VM needs CR0.PE and no IA-32e mode")                                                              \
    SEGMENT_RULES(X, es, "ES")                                                                                         \
    SEGMENT_RULES(X, ds, "DS")                                                                                         \
    SEGMENT_RULES(X, fs, "FS")                                                                                         \
    SEGMENT_RULES(X, gs, "GS")                                                                                         \
    V86_RULES(X, cs, "CS")                                                                                             \
    V86_RULES(X, ss, "SS")                                                                                             \
    COMMON_RULES(X, cs, "CS", flat, 0x10, "1")                                                                         \
    COMMON_RULES(X, ss, "SS", flat, 0x10, "1")                                                                         \
    COMMON_RULES(X, tr, "TR", flat, 0x10, "0")                                                                         \
    COMMON_RULES(X, ldtr, "LDTR", real, 0x10, "0")

#define V86_RULES(X, seg, NAME)                                                                                        \
    X(seg##_v86_base, v86, s->guest_##seg.base += 16,                                                                  \
      "guest " NAME " base in virtual-8086 mode must be selector << 4")                                                \
    X(seg##_v86_limit, v86, s->guest_##seg.limit--, "guest " NAME " limit in virtual-8086 mode must be 0xffff")        \
    X(seg##_v86_rights, v86, s->guest_##seg.access_rights = 0x93,                                                      \
      "guest " NAME " access rights in virtual-8086 mode must be 0xf3")

#define COMMON_RULES(X, seg, NAME, base, system, wanted)                                                               \
    X(seg##_system, base, s->guest_##seg.access_rights ^= system, "guest " NAME " access rights: S must be " wanted)   \
    X(seg##_present, base, s->guest_##seg.access_rights &= ~0x80u, "guest " NAME " access rights: P must be 1")        \
    X(seg##_low_bits, base, s->guest_##seg.access_rights |= 0x100,                                                     \
      "guest " NAME " access rights: bits 31:17 and 11:8 must be 0")                                                   \
    X(seg##_high_bits, base, s->guest_##seg.access_rights |= 0x20000,                                                  \
      "guest " NAME " access rights: bits 31:17 and 11:8 must be 0")                                                   \
    X(seg##_pages, base, (s->guest_##seg.access_rights |= 0x8000, s->guest_##seg.limit = 0xffffeffe),                  \
      "guest " NAME " access rights: G does not fit the limit")                                                        \
    X(seg##_bytes, base, (s->guest_##seg.access_rights &= ~0x8000u, s->guest_##seg.limit = 0x100000),                  \
      "guest " NAME " access rights: G does not fit the limit")

#define SEGMENT_RULES(X, seg, NAME)                                                                                    \
    V86_RULES(X, seg, NAME)                                                                                            \
    COMMON_RULES(X, seg, NAME, flat, 0x10, "1")                                                                        \
    X(seg##_type, flat, s->guest_##seg.access_rights = 0xc092,                                                         \
      "guest " NAME " access rights: type must be accessed (bit 0), and readable (bit 1) if it is code (bit 3)")       \
    X(seg##_type_code, flat, s->guest_##seg.access_rights = 0xc099,                                                    \
      "guest " NAME " access rights: type must be accessed (bit 0), and readable (bit 1) if it is code (bit 3)")       \
    X(seg##_dpl, restricted, s->guest_##seg.selector |= 3,                                                             \
      "guest " NAME " access rights: DPL must not be below the selector's RPL")

#define DEFINE(name, start, change, sentence)                                                                          \
    static void broken_##name(state_t *s)                                                                              \
    {                                                                                                                  \
        start(s);                                                                                                      \
        (void)(change);                                                                                                \
    }
BROKEN(DEFINE)

#define ROW(name, start, change, sentence) {#name, broken_##name, sentence},
static const struct {
    const char *name;
    void (*make)(state_t *);
    const char *sentence;
} broken[] = {BROKEN(ROW)};

static void each_broken_rule_gives_its_sentence(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < array_size(broken); i++) {
        state_t s;
        broken[i].make(&s);
        const char *got = entry_state_check(&s);
        if (got == NULL || strcmp(got, broken[i].sentence) != 0) {
            print_error("%s: got '%s', expected '%s'\n", broken[i].name, got != NULL ? got : "legal",
                        broken[i].sentence);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

#define assert_legal(s)                                                                                                \
    do {                                                                                                               \
        const char *got_ = entry_state_check(s);                                                                       \
        if (got_ != NULL)                                                                                              \
            fail_msg("%s", got_);                                                                                      \
    } while (0)

static void legal_states(void **state)
{
    static void (*const makers[])(state_t *) = {flat, real, long_mode, restricted, v86, pae, apic, shadowed};
    (void)state;
    for (size_t i = 0; i < array_size(makers); i++) {
        state_t s;
        makers[i](&s);
        assert_legal(&s);
    }
}

/* What looks wrong and is not, because the rule does not apply. */
static void rules_that_do_not_apply(void **state)
{
    (void)state;
    state_t s;
    long_mode(&s);
    s.guest_ds = (struct vmx_segment){0x1f, 0x1ffff, 0x12345678, NONCANONICAL}; /* unusable */
    assert_legal(&s);
    flat(&s);
    s.guest_pdpte[0] = UINT64_MAX; /* no PAE */
    s.tpr_threshold = 99;          /* no TPR shadow */
    s.exit_msr_load_address = 3;   /* no entries */
    s.guest_ds.selector |= 3;      /* unrestricted guest */
    assert_legal(&s);
    flat(&s);
    s.secondary_controls = UINT32_MAX;
    s.primary_controls &= ~(1u << 31);
    s.guest_cr0 |= 0x80000000;
    s.guest_ia32_efer = 0;
    assert_legal(&s); /* secondary controls are off */
    flat(&s);
    s.entry_controls &= ~(uint32_t)((1u << 14) | (1u << 15));
    s.guest_ia32_pat = s.guest_ia32_efer = UINT64_MAX; /* not loaded */
    assert_legal(&s);
}

static void wider_cpus(void **state)
{
    (void)state;
    state_t s;
    long_mode(&s);
    s.guest_rip = (uint64_t)1 << 50;
    assert_non_null(entry_state_check(&s));
    s.linear_address_width = 57;
    assert_legal(&s);
    flat(&s);
    s.entry_interruption_information = 0x80000306; /* #UD */
    assert_legal(&s);
    s.entry_interruption_information = 0x80000b06; /* with an error code */
    assert_non_null(entry_state_check(&s));
    s.ia32_vmx_basic |= (uint64_t)1 << 56;
    assert_legal(&s);
    s.entry_interruption_information = 0x80000603; /* INT3, length 0 */
    assert_non_null(entry_state_check(&s));
    s.ia32_vmx_misc |= (uint64_t)1 << 30;
    assert_legal(&s);
}

static void events_that_wake(void **state)
{
    static const struct {
        uint32_t activity, event;
        bool legal;
    } cases[] = {{1, 0x80000020, true},  {1, 0x80000202, true},  {1, 0x80000312, true}, {1, 0x80000301, true},
                 {1, 0x80000700, true},  {2, 0x80000202, true},  {2, 0x80000312, true}, {2, 0x80000301, false},
                 {3, 0x80000312, false}, {1, 0x80000b0e, false}, {0, 0x80000b0e, true}};
    (void)state;
    for (size_t i = 0; i < array_size(cases); i++) {
        state_t s;
        flat(&s);
        s.guest_rflags = 0x202;
        s.guest_activity_state = cases[i].activity;
        s.entry_interruption_information = cases[i].event;
        assert_int_equal(entry_state_check(&s) == NULL, cases[i].legal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_states),
        cmocka_unit_test(each_broken_rule_gives_its_sentence),
        cmocka_unit_test(rules_that_do_not_apply),
        cmocka_unit_test(wider_cpus),
        cmocka_unit_test(events_that_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
