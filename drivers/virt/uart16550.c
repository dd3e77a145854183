/*
 * 16550A model. Names from the PC16550D data sheet, "Summary of Registers":
 *
 *   offset  read        write       with LCR.DLAB = 1
 *   0       RBR         THR         DLL
 *   1       IER         IER         DLM
 *   2       IIR         FCR         (the same)
 *   3       LCR         LCR
 *   4       MCR         MCR
 *   5       LSR         -
 *   6       MSR         -
 *   7       SCR         SCR
 *
 * Two things are faster than the real part. A byte leaves as soon as it is written, so THR is always empty. The
 * character time-out comes at once: bytes below the FIFO's trigger level are reported without waiting for more.
 */
#include "drivers/virt/uart16550.h"

#include "core/bytes.h"
#include "drivers/virt/uart16550_registers.h"

static bool fifo_enabled(const struct uart16550 *uart) { return (uart->fcr & FCR_ENABLE) != 0; }
static bool looped(const struct uart16550 *uart) { return (uart->mcr & MCR_LOOP) != 0; }

static uint8_t capacity(const struct uart16550 *uart) { return fifo_enabled(uart) ? UART16550_FIFO_SIZE : 1; }

static uint8_t trigger_level(const struct uart16550 *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return levels[uart->fcr >> FCR_TRIGGER_SHIFT];
}

/* The pending cause of the highest priority, as IIR shows it ("Interrupt Control Functions"). */
static uint8_t cause(const struct uart16550 *uart)
{
    if ((uart->ier & IER_ELSI) != 0 && uart->line_errors != 0)
        return IIR_LINE_STATUS;
    if ((uart->ier & IER_ERBFI) != 0 && uart->count != 0)
        return fifo_enabled(uart) && uart->count < trigger_level(uart) ? IIR_TIME_OUT : IIR_DATA;
    if ((uart->ier & IER_ETBEI) != 0 && uart->thr_empty)
        return IIR_THR_EMPTY;
    if ((uart->ier & IER_EDSSI) != 0 && (uart->msr & MSR_DELTAS) != 0)
        return IIR_MODEM_STATUS;
    return IIR_NONE;
}

bool uart16550_line(const struct uart16550 *uart)
{
    /* On a PC, OUT2 opens the gate between INTR and the bus; loopback forces the pin OUT2 inactive. */
    return (uart->mcr & MCR_OUT2) != 0 && !looped(uart) && cause(uart) != IIR_NONE;
}

bool uart16550_line_fell(struct uart16550 *uart)
{
    bool fell = uart->line_fell;

    uart->line_fell = false;
    return fell;
}

/* Modem inputs: in loopback the four outputs turned round, else a terminal that is there and ready. */
static void update_modem_inputs(struct uart16550 *uart)
{
    uint32_t lines = MSR_CTS | MSR_DSR | MSR_DCD;
    uint32_t before = uart->msr & MSR_LINES;

    if (looped(uart))
        lines = ((uart->mcr & MCR_RTS) != 0 ? MSR_CTS : 0u) | ((uart->mcr & MCR_DTR) != 0 ? MSR_DSR : 0u) |
                ((uart->mcr & MCR_OUT1) != 0 ? MSR_RI : 0u) | ((uart->mcr & MCR_OUT2) != 0 ? MSR_DCD : 0u);
    uint32_t deltas = (before ^ lines) >> 4;
    /* The ring indicator reports only its trailing edge. */
    if ((lines & MSR_RI) != 0)
        deltas &= ~(uint32_t)MSR_TERI;
    uart->msr = (uint8_t)(lines | deltas | (uart->msr & MSR_DELTAS));
}

static void drop_received(struct uart16550 *uart)
{
    uart->first = 0;
    uart->count = 0;
}

static void put_received(struct uart16550 *uart, uint8_t byte)
{
    if (uart->count == capacity(uart)) {
        uart->line_errors |= LSR_OE;
        /* With FIFOs the byte is lost in the shift register; without, it replaces the one that was not read. */
        if (!fifo_enabled(uart))
            uart->received[uart->first] = byte;
        return;
    }
    uart->received[(uart->first + uart->count) % UART16550_FIFO_SIZE] = byte;
    uart->count++;
}

static uint8_t take_received(struct uart16550 *uart)
{
    if (uart->count == 0)
        return 0;
    uint8_t byte = uart->received[uart->first];
    uart->first = (uint8_t)((uart->first + 1) % UART16550_FIFO_SIZE);
    uart->count--;
    return byte;
}

/*
 * Writing THR takes the "empty" cause away, and the byte's instant departure brings it back. In between the line may
 * have been low; a handler that never reads IIR lives on that edge.
 */
static void transmit(struct uart16550 *uart, uint8_t byte)
{
    bool was_high = uart16550_line(uart);

    uart->thr_empty = false;
    if (was_high && !uart16550_line(uart))
        uart->line_fell = true;
    if (looped(uart))
        put_received(uart, byte);
    else
        ring_put(uart->output, (char)byte);
    uart->thr_empty = true;
}

/* Enabling the "THR empty" interrupt while THR is empty raises it anew, even if it was read off before. */
static void write_ier(struct uart16550 *uart, uint8_t value)
{
    if ((value & IER_ETBEI) != 0 && (uart->ier & IER_ETBEI) == 0)
        uart->thr_empty = true;
    uart->ier = value & IER_MASK;
}

/* Switching the FIFOs on or off empties them; the other bits count only together with the enable bit. */
static void write_fcr(struct uart16550 *uart, uint8_t value)
{
    bool enable = (value & FCR_ENABLE) != 0;

    if (enable != fifo_enabled(uart) || (enable && (value & FCR_CLEAR_RECEIVER) != 0))
        drop_received(uart);
    uart->fcr = enable ? value & (FCR_ENABLE | FCR_DMA_MODE | FCR_TRIGGER) : 0;
}

/* Reading IIR takes the "THR empty" cause away, but only when that is what it shows. */
static uint8_t read_iir(struct uart16550 *uart)
{
    uint8_t shown = cause(uart);

    if (shown == IIR_THR_EMPTY)
        uart->thr_empty = false;
    return fifo_enabled(uart) ? shown | IIR_FIFOS_ENABLED : shown;
}

static uint8_t read_lsr(struct uart16550 *uart)
{
    uint32_t value = LSR_THRE | LSR_TEMT | uart->line_errors | (uart->count != 0 ? LSR_DR : 0u);

    uart->line_errors = 0;
    return (uint8_t)value;
}

static uint8_t read_msr(struct uart16550 *uart)
{
    uint8_t value = uart->msr;

    uart->msr &= MSR_LINES;
    return value;
}

static uint8_t read_register(struct uart16550 *uart, uint64_t offset)
{
    bool dlab = (uart->lcr & LCR_DLAB) != 0;

    switch (offset) {
    case RBR_THR:
        return dlab ? uart->dll : take_received(uart);
    case IER:
        return dlab ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_iir(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_lsr(uart);
    case MSR:
        return read_msr(uart);
    case SCR:
        return uart->scr;
    default:
        return 0xff;
    }
}

static void write_divided_register(struct uart16550 *uart, uint64_t offset, uint8_t value)
{
    bool dlab = (uart->lcr & LCR_DLAB) != 0;

    if (offset == RBR_THR && dlab)
        uart->dll = value;
    else if (offset == RBR_THR)
        transmit(uart, value);
    else if (dlab)
        uart->dlm = value;
    else
        write_ier(uart, value);
}

static void write_register(struct uart16550 *uart, uint64_t offset, uint8_t value)
{
    switch (offset) {
    case RBR_THR:
    case IER:
        write_divided_register(uart, offset, value);
        break;
    case IIR_FCR:
        write_fcr(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        uart->mcr = value & MCR_MASK;
        update_modem_inputs(uart);
        break;
    case SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR: "factory test" and read-only */
        break;
    }
}

void uart16550_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct uart16550 *uart = device;

    if (uart->output == NULL)
        bus_nothing(access);
    else if (access->write)
        write_register(uart, offset, (uint8_t)access->value);
    else
        access->value = read_register(uart, offset);
}

/* Before and after its bytes such a driver shuts the interrupts off and puts them back: mostly none is asked for. */
bool uart16550_quick_ier(struct uart16550 *uart, uint8_t value)
{
    uint8_t ier = uart->ier;
    bool thr_empty = uart->thr_empty, line = uart16550_line(uart);

    if ((uart->lcr & LCR_DLAB) != 0)
        return false;
    write_ier(uart, value);
    if (uart16550_line(uart) == line)
        return true;
    uart->ier = ier;
    uart->thr_empty = thr_empty;
    return false;
}

size_t uart16550_receive(struct uart16550 *uart, const char *bytes, size_t length)
{
    size_t taken = 0;

    /* In loopback the wire is off; a byte taken now would be lost. */
    if (uart->output == NULL || looped(uart))
        return 0;
    while (taken < length && uart->count < capacity(uart))
        put_received(uart, (uint8_t)bytes[taken++]);
    return taken;
}

void uart16550_reset(struct uart16550 *uart, struct ring *output)
{
    memset(uart, 0, sizeof *uart);
    uart->output = output;
    uart->dll = 1; /* 115200 baud; the speed means nothing here, but a guest may show it */
    update_modem_inputs(uart);
    uart->msr &= MSR_LINES;
}
