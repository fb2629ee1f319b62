/*
 * The console commands: one row, one function.
 *
 * A command prints its lines and returns NULL, or what is wrong; the loop then prints `ok` or `error …`.
 */
#include "guest.h"

#define ARGS_MAX 16
#define LINE_MAX 256
#define MEM_MAX 4096

u8 scratch[4096] __attribute__((aligned(4096)));

struct args {
	u64 n;
	char *word[ARGS_MAX];
	u64 number[ARGS_MAX];   /* of each word that is one */
	u8 is_number[ARGS_MAX];
};

struct command {
	const char *name, *usage;
	u64 numbers_from;       /* words from this one on must be numbers (word 0 is the command) */
	u64 min, max;           /* how many words after the command */
	const char *(*run)(struct args *a);
};

static const char *help(struct args *a);

static u64 arg(struct args *a, u64 i, u64 fallback)
{
	return i < a->n ? a->number[i] : fallback;
}

/* Sleep until the time is over; the decrementer bounds each nap. */
static void sleep_ticks(u64 ticks)
{
	u64 start = timebase();

	while (timebase() - start < ticks) {
		irq_disable();
		cede();
	}
}

static const char *ids(struct args *a)
{
	u64 silent = 0;

	for (u64 i = 0; i < nthreads; i++) {
		struct thread *t = threads[i];
		const char *state = t->running ? "running" : "stopped";

		if (t->running && t != boot_thread && !thread_ask(t, REQUEST_IDS)) {
			state = "silent";
			silent++;
		}
		if (t == boot_thread)
			t->pir = spr_pir();
		if (t->running)
			print("thread server=%u pir=%u reg=%u index=%u state=%s\n", t->server, t->pir, t->reg, t->index, state);
		else
			print("thread server=%u pir=- reg=%u index=%u state=%s\n", t->server, t->reg, t->index, state);
	}
	return silent ? "a running thread did not answer" : NULL;
}

static const char *count(struct args *a)
{
	u64 to = a->number[1], step = to / 10 ? to / 10 : 1;

	for (u64 i = 1; i <= to; i++) {
		asm volatile("" : "+r"(i));     /* really count */
		if (i % step == 0 || i == to)
			print("count %u\n", i);
	}
	return NULL;
}

static const char *wait(struct args *a)
{
	u64 ms = a->number[1];

	if (ms > 3600000)
		return "at most 3600000 ms";
	sleep_ticks(ms * (timebase_hz / 1000));
	return NULL;
}

static const char *tick(struct args *a)
{
	for (u64 i = 0; i < nthreads; i++) {
		struct thread *t = threads[i];

		print("tick server=%u dec=%u ext=%u ipi=%u sreset=%u\n", t->server, t->dec, t->ext, t->ipi, t->sreset);
	}
	return NULL;
}

static const char *ipi(struct args *a)
{
	struct thread *t = thread_by_server(a->number[1]);
	u64 before, start = timebase();

	if (!t || !t->running)
		return "no running thread with that server number";
	before = t->ipi;
	intc->ipi(t);
	while (t->ipi == before) {
		if (timebase() - start > PATIENCE_SECONDS * timebase_hz)
			return "the interrupt did not come within ten seconds";
		yield();
	}
	print("ipi server=%u count=%u\n", t->server, t->ipi);
	return NULL;
}

static const char *dirty_arguments(struct args *a, u64 at)
{
	for (u64 i = at; i < a->n; i++)
		if (!a->is_number[i])
			return "not a number";
	return NULL;
}

static const char *dirty(struct args *a)
{
	const char *wrong;

	if (a->n == 1) {
		dirty_report();
		return NULL;
	}
	if (same(a->word[1], "stop")) {
		dirty_stop();
		dirty_report();
		return NULL;
	}
	if (same(a->word[1], "start")) {
		if (a->n != 4)
			return "usage: dirty start RATE_PAGES_PER_S MIB";
		wrong = dirty_arguments(a, 2);
		return wrong ? wrong : dirty_start(a->number[2], a->number[3]);
	}
	if (a->n < 3)
		return "usage: dirty RATE_PAGES_PER_S SECONDS [MIB]";
	wrong = dirty_arguments(a, 1);
	if (!wrong && a->number[2] > 3600)
		wrong = "at most 3600 seconds";
	if (!wrong)
		wrong = dirty_start(a->number[1], arg(a, 3, 16));
	if (wrong)
		return wrong;
	sleep_ticks(a->number[2] * timebase_hz);
	dirty_stop();
	dirty_report();
	return NULL;
}

static const char *verify(struct args *a)
{
	return dirty_verify() ? "pages do not have what was written" : NULL;
}

static const char *tb(struct args *a)
{
	print("tb=%u hz=%u\n", timebase(), timebase_hz);
	return NULL;
}

static const char *spr(struct args *a)
{
	u64 number, value;
	int fault;

	if (!spr_number(a->word[1], &number))
		return "no such register; see sprs, or give a number below 1024";
	if (a->n > 2) {
		if (!a->is_number[2])
			return "the value is not a number";
		fault = spr_write(number, a->number[2]);
	} else {
		fault = spr_read(number, &value);
	}
	if (fault) {
		print("spr %u ", number);
		fault_print();
		print("\n");
		return "the access was interrupted";
	}
	if (a->n == 2)
		print("spr %u=0x%x\n", number, value);
	return NULL;
}

static const char *sprs(struct args *a)
{
	sprs_print();
	return NULL;
}

static const char *hypercall_command(struct args *a)
{
	u64 regs[10] = { 0 };

	for (u64 i = 1; i < a->n && i <= 10; i++)
		regs[i - 1] = a->number[i];
	hypercall(regs);
	print("hcall 0x%x status=%d", a->number[1], (s64)regs[0]);
	for (u64 i = 0; i < 10; i++)
		print(" r%u=0x%x", i + 3, regs[i]);
	print("\n");
	return NULL;
}

static const char *rtas_command(struct args *a)
{
	u64 returns;
	u32 rets[16];
	s64 status;
	char *slash = a->word[1];

	while (*slash && *slash != '/')
		slash++;
	if (*slash) {
		*slash = 0;
		if (!parse_number(slash + 1, &returns) || returns > ARRAY_SIZE(rets))
			return "the number of returns is 0 to 16";
	} else {
		returns = rtas_returns(a->word[1]);
	}
	status = rtas_call(a->word[1], a->n - 2, returns, a->number + 2, rets);
	if (status == RTAS_MISSING)
		return "the tree's /rtas has no such call";
	print("rtas %s status=%d", a->word[1], status);
	for (u64 i = 1; i < returns; i++)
		print(" 0x%x", (u64)rets[i]);
	print("\n");
	return NULL;
}

static const char *mem(struct args *a)
{
	u64 at = a->number[1], n = arg(a, 2, 16);

	if (n > MEM_MAX)
		return "at most 4096 bytes";
	for (u64 i = 0; i < n; i += 16) {
		print("0x%x:", at + i);
		for (u64 k = i; k < i + 16 && k < n; k++) {
			u64 byte;

			if (GUARDED(byte = *(volatile u8 *)(at + k))) {
				print(" ");
				fault_print();
				print("\n");
				return "the load was interrupted";
			}
			print(" %2x", byte);
		}
		print("\n");
	}
	return NULL;
}

static const char *poke(struct args *a)
{
	u64 at = a->number[1], size = arg(a, 3, 8);

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return "the size is 1, 2, 4 or 8 bytes";
	for (u64 i = 0; i < size; i++) {
		u8 byte = a->number[2] >> (8 * (size - 1 - i));

		if (GUARDED(*(volatile u8 *)(at + i) = byte)) {
			fault_print();
			print("\n");
			return "the store was interrupted";
		}
	}
	return NULL;
}

static const char *fault(struct args *a)
{
	if (fault_provoke(a->word[1]))
		return NULL;
	fault_kinds_print();
	return "no such kind";
}

static const char *info(struct args *a)
{
	print("image start=0x%x end=0x%x\n", (u64)image_start, (u64)image_end);
	print("heap end=0x%x\n", heap_end());
	print("scratch addr=0x%x size=%u\n", (u64)scratch, (u64)sizeof(scratch));
	print("window addr=0x%x mib=%u\n", window_start(), window_bytes() >> 20);
	print("interrupts controller=%s vty-irq=0x%x\n", intc->name, vty_irq);
	return NULL;
}

static const char *start(struct args *a)
{
	struct thread *t = thread_by_server(a->number[1]);
	s64 status;

	if (!t)
		return "no such server number";
	/* Ours and running ones too: the refusal is the machine's to make. */
	status = rtas("query-cpu-stopped-state", 1, t->server, 0, 0) == RTAS_MISSING ? RTAS_MISSING : cpu_start(t);
	print("start server=%u status=%d\n", t->server, status);
	return status ? "start-cpu refused" : NULL;
}

static const char *stop(struct args *a)
{
	struct thread *t = thread_by_server(a->number[1]);

	if (!t || !t->running)
		return "no running thread with that server number";
	if (t == boot_thread)
		return "that is the thread which reads commands; see stopall";
	return thread_ask(t, REQUEST_STOP) ? NULL : "the thread did not stop within ten seconds";
}

static const char *stopall(struct args *a)
{
	print("stopping\n");
	for (u64 i = 0; i < nthreads; i++)
		if (threads[i] != boot_thread && threads[i]->running)
			thread_ask(threads[i], REQUEST_STOP);
	thread_stop_self();
}

static const char *loop(struct args *a)
{
	print("looping\n");
	irq_disable();
	asm volatile("b .");
	__builtin_unreachable();
}

static const char *storm(struct args *a)
{
	print("storming\n");
	decrementer_storm();
	/* One interrupt after the other from here on; if the machine lets us go on between two, so much the better. */
	for (;;)
		irq_enable();
	return NULL;
}

static const char *panic(struct args *a)
{
	print("panic\n");
	rtas_panic("spapr-guest: panic");
}

static const char *reboot(struct args *a)
{
	u64 no_args = 0;
	u32 status;

	print("rebooting\n");
	rtas_call("system-reboot", 0, 1, &no_args, &status);
	return "system-reboot came back";
}

static const char *off(struct args *a)
{
	print("off\n");
	rtas("power-off", 2, ~0ul, ~0ul, 0);
	return "power-off came back";
}

#define NO_NUMBERS ARGS_MAX

static const struct command COMMANDS[] = {
	{ "count", "N: count to N, showing ten steps", 1, 1, 1, count },
	{ "dirty", "[RATE_PAGES_PER_S SECONDS [MIB] | start RATE MIB | stop]: write pages of the window", NO_NUMBERS, 0, 3, dirty },
	{ "fault", "KIND: cause an interrupt and show it", NO_NUMBERS, 1, 1, fault },
	{ "hcall", "NUMBER [ARG...]: any hypercall; shows r3 to r12", 1, 1, 10, hypercall_command },
	{ "help", ": this list", NO_NUMBERS, 0, 0, help },
	{ "ids", ": the numbers of every thread, from the tree and from the thread", NO_NUMBERS, 0, 0, ids },
	{ "info", ": addresses, the dirty window, the interrupt controller", NO_NUMBERS, 0, 0, info },
	{ "ipi", "SERVER: send an interrupt to a thread and wait for it", 1, 1, 1, ipi },
	{ "loop", ": branch to self with interrupts off, for ever", NO_NUMBERS, 0, 0, loop },
	{ "mem", "ADDR [BYTES]: show memory", 1, 1, 2, mem },
	{ "off", ": RTAS power-off", NO_NUMBERS, 0, 0, off },
	{ "panic", ": RTAS ibm,os-term", NO_NUMBERS, 0, 0, panic },
	{ "poke", "ADDR VALUE [SIZE]: store a big-endian value of 1, 2, 4 or 8 bytes", 1, 2, 3, poke },
	{ "reboot", ": RTAS system-reboot", NO_NUMBERS, 0, 0, reboot },
	{ "rtas", "NAME[/RETURNS] [ARG...]: any RTAS call; shows what it returns", 2, 1, 14, rtas_command },
	{ "spr", "NUMBER|NAME [VALUE]: read or write a register", NO_NUMBERS, 1, 2, spr },
	{ "sprs", ": read the registers that have a name here", NO_NUMBERS, 0, 0, sprs },
	{ "start", "SERVER: start a stopped thread", 1, 1, 1, start },
	{ "stop", "SERVER: stop a thread", 1, 1, 1, stop },
	{ "stopall", ": stop every thread, this one last", NO_NUMBERS, 0, 0, stopall },
	{ "storm", ": take decrementer interrupts without end", NO_NUMBERS, 0, 0, storm },
	{ "tb", ": the timebase", NO_NUMBERS, 0, 0, tb },
	{ "tick", ": interrupts taken by each thread", NO_NUMBERS, 0, 0, tick },
	{ "verify", ": check every page of the window", NO_NUMBERS, 0, 0, verify },
	{ "wait", "MS: sleep", 1, 1, 1, wait },
};

static const char *help(struct args *a)
{
	for (u64 i = 0; i < ARRAY_SIZE(COMMANDS); i++)
		print("%s %s\n", COMMANDS[i].name, COMMANDS[i].usage);
	return NULL;
}

/* Cuts the line into words in place; false if there are too many. */
static int split(char *line, struct args *a)
{
	a->n = 0;
	for (;;) {
		while (*line == ' ' || *line == '\t')
			*line++ = 0;
		if (!*line)
			return 1;
		if (a->n == ARGS_MAX)
			return 0;
		a->word[a->n++] = line;
		while (*line && *line != ' ' && *line != '\t')
			line++;
	}
}

static const char *obey(struct args *a)
{
	for (u64 i = 0; i < ARRAY_SIZE(COMMANDS); i++) {
		const struct command *c = &COMMANDS[i];

		if (!same(c->name, a->word[0]))
			continue;
		if (a->n - 1 < c->min || a->n - 1 > c->max) {
			print("usage: %s %s\n", c->name, c->usage);
			return "wrong number of arguments";
		}
		for (u64 k = 1; k < a->n; k++) {
			a->is_number[k] = parse_number(a->word[k], &a->number[k]);
			if (!a->is_number[k] && k >= c->numbers_from)
				return "not a number";
		}
		return c->run(a);
	}
	return "no such command; try help";
}

void commands_run(void)
{
	static char line[LINE_MAX];
	static struct args a;

	for (;;) {
		const char *wrong = NULL;
		int whole;

		print("> ");
		whole = console_line(line, sizeof(line));
		/* What was typed is not echoed; the reply still begins on a line of its own. */
		print("\n");
		if (!whole)
			wrong = "the line is too long";
		else if (!split(line, &a))
			wrong = "too many words";
		else if (a.n == 0)
			continue;
		else
			wrong = obey(&a);
		if (wrong)
			print("error %s\n", wrong);
		else
			print("ok\n");
	}
}
