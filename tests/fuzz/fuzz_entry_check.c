/*
 * The check of what VM entry would refuse: a legal state with the input's bytes laid over it. The rules that keep the
 * hypervisor itself alive (host state, controls, addresses) are asked once more here, in other words; and a CPU that
 * allows more must not refuse what one that allows less accepted.
 */
#include "tests/unit/vmx_entry_state.h"

#include "tests/fuzz/input.h"

#define SECONDARY_ENABLED (1u << 31)
#define EXIT_HOST_64      (1u << 9)
#define ENTRY_IA32E       (1u << 9)

/* An ordinary CPU, a 64-bit host, and a guest that starts in flat 32-bit protected mode. */
static void make_state(struct vmx_entry_state *s)
{
    static const struct vmx_segment data32 = {0x18, 0xc093, 0xffffffff, 0};
    *s = (struct vmx_entry_state){
        .ia32_vmx_basic = 0x00d810000000002b,
        .ia32_vmx_misc = 0x200401e0,
        .ia32_vmx_ept_vpid_cap = 0x0f0106334141,
        .ia32_vmx_cr0_fixed0 = 0x80000021,
        .ia32_vmx_cr0_fixed1 = 0xffffffff,
        .ia32_vmx_cr4_fixed0 = 0x2000,
        .ia32_vmx_cr4_fixed1 = 0x3727ff,
        .allowed_pin_based = {0x16, 0xff},
        .allowed_primary = {0x0401e172, 0xfff9fffe},
        .allowed_secondary = {0, 0x02577fff},
        .allowed_exit = {0x36dff, 0x7fffff},
        .allowed_entry = {0x11ff, 0xffff},
        .physical_address_width = 46,
        .linear_address_width = 48,
        .pin_based_controls = 0x1e,
        .primary_controls = 0x9601e172 & 0x9401e172,
        .secondary_controls = 0xa2,
        .vpid = 1,
        .eptp = 0x100001e,
        .msr_bitmap_address = 0x3000,
        .exit_controls = 0x36fff | 1u << 19 | 1u << 21,
        .entry_controls = 0x11ff | 1u << 14 | 1u << 15,
        .host_cr0 = 0x80010033,
        .host_cr3 = 0x200000,
        .host_cr4 = 0x2020,
        .host_ia32_pat = 0x0007040600070406,
        .host_ia32_efer = 0xd00,
        .host_cs_selector = 0x8,
        .host_ss_selector = 0x10,
        .host_tr_selector = 0x18,
        .host_tr_base = 0x300000,
        .host_rip = 0x201000,
        .guest_cr0 = 0x31,
        .guest_cr4 = 0x2000,
        .guest_dr7 = 0x400,
        .guest_ia32_pat = 0x0007040600070406,
        .guest_cs = {0x10, 0xc09b, 0xffffffff, 0},
        .guest_ss = data32,
        .guest_ds = data32,
        .guest_es = data32,
        .guest_fs = data32,
        .guest_gs = data32,
        .guest_ldtr = {0, 0x10000, 0, 0},
        .guest_tr = {0x28, 0x8b, 0x67, 0},
        .guest_rip = 0x1000000,
        .guest_rflags = 2,
        .vmcs_link_pointer = UINT64_MAX,
    };
}

static bool is_canonical(const struct vmx_entry_state *s, uint64_t address)
{
    unsigned shift = s->linear_address_width == 57 ? 7 : 16;
    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static bool is_allowed(uint32_t value, struct vmx_allowed by)
{
    return (~value & by.zero_settings) == 0 && (value | by.one_settings) == by.one_settings;
}

static void require_accepted(const struct vmx_entry_state *s)
{
    require(is_allowed(s->pin_based_controls, s->allowed_pin_based));
    require(is_allowed(s->primary_controls, s->allowed_primary));
    require((s->primary_controls & SECONDARY_ENABLED) == 0 || is_allowed(s->secondary_controls, s->allowed_secondary));
    require(is_allowed(s->exit_controls, s->allowed_exit) && is_allowed(s->entry_controls, s->allowed_entry));
    require((s->host_cr0 & s->ia32_vmx_cr0_fixed0) == s->ia32_vmx_cr0_fixed0);
    require((s->host_cr4 & ~s->ia32_vmx_cr4_fixed1) == 0 && (s->guest_cr4 & ~s->ia32_vmx_cr4_fixed1) == 0);
    require(s->host_cs_selector != 0 && s->host_tr_selector != 0);
    require(((s->host_cs_selector | s->host_ds_selector | s->host_es_selector | s->host_ss_selector |
              s->host_fs_selector | s->host_gs_selector | s->host_tr_selector) &
             7) == 0);
    require((s->exit_controls & EXIT_HOST_64) == 0 || is_canonical(s, s->host_rip));
    require(is_canonical(s, s->host_fs_base) && is_canonical(s, s->host_gdtr_base) && is_canonical(s, s->host_tr_base));
    require((s->guest_rflags & 2) != 0 && s->guest_rflags >> 22 == 0 && (s->guest_rflags & 1u << 15) == 0);
    require((s->entry_controls & ENTRY_IA32E) == 0 || (s->guest_rflags & 1u << 17) == 0);
    require(s->guest_activity_state <= 3 && s->guest_interruptibility_state >> 5 == 0);
    require((s->guest_tr.access_rights & 1u << 16) == 0);
}

/* More is allowed: no bit must be 1, every bit that was 0 or 1 still may. */
static void require_monotonic(struct vmx_entry_state s)
{
    struct vmx_allowed *all[] = {&s.allowed_pin_based, &s.allowed_primary, &s.allowed_secondary, &s.allowed_exit,
                                 &s.allowed_entry};
    for (size_t i = 0; i < array_size(all); i++)
        *all[i] = (struct vmx_allowed){0, UINT32_MAX};
    require(entry_state_check(&s) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct vmx_entry_state *s = malloc(sizeof *s);
    require(s != NULL);
    make_state(s);
    require(entry_state_check(s) == NULL); /* or the target tests nothing */
    while (in.left != 0) {
        uint16_t at = input_16(&in);
        uint64_t value = input_take(&in, 1u << (at >> 14));
        size_t width = (size_t)1 << (at >> 14);
        memcpy((uint8_t *)s + at % 0x4000 % (sizeof *s / width) * width, &value, width);
    }
    const char *sentence = entry_state_check(s);
    require(sentence == entry_state_check(s));
    if (sentence == NULL) {
        require_accepted(s);
        require_monotonic(*s);
    } else {
        require(strlen(sentence) > 10 && strchr(sentence, '\n') == NULL);
    }
    free(s);
    return 0;
}
