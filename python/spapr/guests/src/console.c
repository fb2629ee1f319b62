/*
 * The console: a virtual terminal behind H_PUT_TERM_CHAR and H_GET_TERM_CHAR.
 *
 * The terminal's own buffer holds 16 bytes, so what comes in is moved to a ring by the interrupt handler, and once more
 * before the boot thread sleeps: a machine whose external interrupts do not work is still usable, and `tick` shows it.
 */
#include "guest.h"

static u64 unit;
static volatile u8 ring[1024];
static volatile u64 ring_in, ring_out;
static u8 out[16];
static u64 out_len;

void console_init(u64 vty_unit)
{
	unit = vty_unit;
}

void print_flush(void)
{
	u64 hi = 0, lo = 0;

	if (!out_len)
		return;
	for (u64 i = 0; i < 8; i++) {
		hi = hi << 8 | (i < out_len ? out[i] : 0);
		lo = lo << 8 | (i + 8 < out_len ? out[i + 8] : 0);
	}
	/* Busy means later; any other refusal cannot be reported anywhere, so the text is lost. */
	while (hcall(H_PUT_TERM_CHAR, unit, out_len, hi, lo) == H_BUSY)
		yield();
	out_len = 0;
}

static void put(char c)
{
	out[out_len++] = c;
	if (out_len == sizeof(out))
		print_flush();
}

static void put_number(u64 value, u64 base, u64 width)
{
	char digits[24];
	u64 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width && n < sizeof(digits))
		digits[n++] = '0';
	while (n)
		put(digits[--n]);
}

void print(const char *format, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, format);
	for (; *format; format++) {
		u64 width = 0;

		if (*format != '%') {
			put(*format);
			continue;
		}
		while (format[1] >= '0' && format[1] <= '9')
			width = width * 10 + (*++format - '0');
		switch (*++format) {
		case 's':
			for (const char *s = __builtin_va_arg(args, const char *); *s; s++)
				put(*s);
			break;
		case 'd': {
			s64 v = __builtin_va_arg(args, s64);

			if (v < 0)
				put('-');
			put_number(v < 0 ? -(u64)v : (u64)v, 10, width);
			break;
		}
		case 'u':
			put_number(__builtin_va_arg(args, u64), 10, width);
			break;
		case 'x':
			put_number(__builtin_va_arg(args, u64), 16, width);
			break;
		default:
			put(*format);
		}
	}
	__builtin_va_end(args);
	print_flush();
}

void console_drain(void)
{
	/* Bounded: a terminal that never runs dry must not keep the handler for ever. */
	for (u64 rounds = 0; rounds < sizeof(ring) / 16; rounds++) {
		u64 got[3];

		if (sizeof(ring) - (ring_in - ring_out) < 16)
			return;
		if (hcall_out(H_GET_TERM_CHAR, unit, 0, 0, 0, got, 3) != H_SUCCESS || got[0] == 0)
			return;
		for (u64 i = 0; i < got[0] && i < 16; i++)
			ring[ring_in++ % sizeof(ring)] = got[1 + i / 8] >> (56 - i % 8 * 8);
	}
}

static u8 next_byte(void)
{
	for (;;) {
		irq_disable();
		console_drain();
		if (ring_in != ring_out)
			break;
		cede();
	}
	irq_enable();
	return ring[ring_out++ % sizeof(ring)];
}

int console_line(char *line, u64 size)
{
	static u8 last;
	u64 n = 0;

	for (;;) {
		u8 c = next_byte(), before = last;

		last = c;
		if (c == '\n' && before == '\r')
			continue;               /* the second half of CR LF */
		if (c == '\n' || c == '\r')
			break;
		if (c == 8 || c == 127)
			n -= n > 0;
		else if (c && n <= size)
			line[n < size ? n : size - 1] = c, n++;
	}
	if (n >= size)
		return 0;
	line[n] = 0;
	return 1;
}
