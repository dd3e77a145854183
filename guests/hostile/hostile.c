/*
 * hostile: does what no guest should, one attack a line that comes in over its UART.
 *
 * "hostile: ready" is the prompt. A line is the name of an attack and its numbers; the answer is one line "hostile:
 * PASS NAME" or "hostile: FAIL NAME: N did not hold", when there is somebody left to give it. So that a test can run
 * many attacks in one life of the partition, and the next one after a start when an attack has ended it. `random=SEED`
 * on the command line executes random instructions instead.
 */
#include "guests/common/apic.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/trap.h"
#include "guests/hostile/attack.h"
#include "guests/hostile/try.h"

const char guest_name[] = "hostile";

enum { LINE_SIZE = 128, WORD_SIZE = 32, SHOWN = 6, FIRST_INTERRUPT = 32, VECTORS = 256 };

static uint64_t failures;
static volatile uint64_t interrupts;

static const struct attack_list *const lists[] = {
    &attacks_memory,  &attacks_ports,      &attacks_msrs,    &attacks_icr,    &attacks_instructions, &attacks_control,
    &attacks_paging,  &attacks_modes,      &attacks_tables,  &attacks_faults, &attacks_loops,        &attacks_storms,
    &attacks_decoder, &attacks_hypercalls, &attacks_devices, &attacks_cpus,   &attacks_leftovers,    &attacks_xapic,
};

void attack_check(bool held, const char *what, uint64_t number, uint64_t found)
{
    if (held)
        return;
    failures++;
    if (failures <= SHOWN)
        print("hostile: not held: %s 0x%lx, found 0x%lx\n", what, number, found);
}

void attack_goes_on(const char *name) { print("hostile: goes on: %s\n", name); }
void attack_survived(const char *name) { attack_check(false, name, 0, 0); }
uint64_t attack_memory_end(void) { return (guest_memory_kib + 1024) * 1024; }
uint64_t attack_interrupts(void) { return interrupts; }

uint64_t attack_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void count_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    apic_eoi();
}

static const struct attack *find(const char *name)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            if (text_equals(lists[i]->attacks[j].name, name))
                return &lists[i]->attacks[j];
    return NULL;
}

static void run(const char *line)
{
    char name[WORD_SIZE], word[WORD_SIZE];
    uint64_t numbers[ATTACK_NUMBERS] = {0};
    unsigned count = 0;
    if (!word_next(&line, name, sizeof name))
        return;
    while (count < ATTACK_NUMBERS && word_next(&line, word, sizeof word) && number_parse(word, &numbers[count]))
        count++;
    const struct attack *attack = find(name);
    if (attack == NULL || attack->numbers != count) {
        print("hostile: FAIL %s: no such attack with %u numbers\n", name, count);
        return;
    }
    failures = 0;
    attack->run(numbers);
    if (failures == 0)
        print("hostile: PASS %s\n", name);
    else
        print("hostile: FAIL %s: %lu did not hold\n", name, failures);
}

static void read_line(char *line)
{
    size_t length = 0;
    for (;;) {
        char c;
        if (!console_get(&c)) {
            pause();
        } else if (c == '\r' || c == '\n') {
            break;
        } else if (length + 1 < LINE_SIZE) {
            line[length++] = c;
        }
    }
    line[length] = '\0';
}

void guest_main(void)
{
    static char line[LINE_SIZE];
    try_init();
    for (unsigned vector = FIRST_INTERRUPT; vector < VECTORS; vector++)
        trap_set((uint8_t)vector, count_interrupt);
    uint64_t seed = guest_option("random", 0), exits = guest_option("exits", 0);
    if (seed != 0 || exits != 0 || guest_option("random-exactly", 0) != 0)
        random_run(seed != 0 ? seed : exits, exits != 0);
    for (;;) {
        print("hostile: ready\n");
        read_line(line);
        run(line);
    }
}
