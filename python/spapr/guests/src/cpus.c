/*
 * The threads the tree names, and how they are started, asked and stopped.
 *
 * The numbers that matter are the `ibm,ppc-interrupt-server#s`: they are the vcpu ids that VSMT decides about.
 */
#include "guest.h"

#define STACK_BYTES 8192

struct thread **threads;
u64 nthreads;
struct thread *boot_thread;

static struct cpu *cpus;
static u64 ncpus;

u64 spr_pir(void)
{
	u64 pir;

	asm volatile("mfspr %0,1023" : "=r"(pir));
	return pir;
}

static void thread_add(struct cpu *cpu, u64 index)
{
	struct thread *t = heap_alloc(sizeof(*t), 128);

	memset(t, 0, sizeof(*t));
	t->entry = (u64)interrupt_entry;
	t->toc = toc_pointer();
	t->server = be32(cpu->servers[index]);
	t->reg = cpu->reg;
	t->index = index;
	t->pir = ~0ul;
	threads[nthreads++] = t;
}

/* Calls `see` for each cpu node; the blob has them in no useful order. */
static void cpus_walk(void (*see)(u64 node))
{
	for (u64 n = fdt_first_child(fdt_child(fdt_root(), "cpus")); n; n = fdt_next_sibling(n)) {
		const char *type = fdt_prop(n, "device_type", NULL);

		if (type && same(type, "cpu"))
			see(n);
	}
}

static void cpu_count(u64 node)
{
	u32 len = 4;

	fdt_prop(node, "ibm,ppc-interrupt-server#s", &len);
	ncpus++;
	nthreads += len / 4;
}

static void cpu_insert(u64 node)
{
	u32 len = 4;
	const u32 *servers = fdt_prop(node, "ibm,ppc-interrupt-server#s", &len);
	struct cpu new = { fdt_cells(node, "reg", 0, 1, 0), servers, len / 4 };
	u64 at = ncpus++;

	if (!servers)   /* ePAPR trees name the one thread in `reg` */
		new.servers = fdt_prop(node, "reg", &len), new.nservers = len / 4;
	for (; at && cpus[at - 1].reg > new.reg; at--)
		cpus[at] = cpus[at - 1];
	cpus[at] = new;
	timebase_hz = fdt_cells(node, "timebase-frequency", 0, 1, timebase_hz);
}

void cpus_init(void)
{
	u64 boot = fdt_boot_cpu();

	cpus_walk(cpu_count);
	cpus = heap_alloc((ncpus + 1) * sizeof(*cpus), 16);
	threads = heap_alloc((nthreads + 1) * sizeof(*threads), 16);
	ncpus = nthreads = 0;
	cpus_walk(cpu_insert);
	for (u64 i = 0; i < ncpus; i++)
		for (u64 k = 0; k < cpus[i].nservers; k++)
			thread_add(&cpus[i], k);
	/* The header names the boot cpu; a tree whose header is wrong may still agree with what the cpu says of itself. */
	boot_thread = thread_by_server(boot);
	if (!boot_thread)
		boot_thread = thread_by_server(spr_pir());
	if (!boot_thread) {
		struct cpu self_made = { boot, (const u32 *)heap_alloc(8, 8), 1 };

		*(u32 *)self_made.servers = be32(boot);
		thread_add(&self_made, 0);
		boot_thread = threads[nthreads - 1];
	}
	boot_thread->running = 1;
	boot_thread->pir = spr_pir();
	self = boot_thread;
}

void cpus_print(void)
{
	for (u64 i = 0; i < ncpus; i++) {
		print("cpu reg=%u servers=", cpus[i].reg);
		for (u64 k = 0; k < cpus[i].nservers; k++)
			print("%s%u", k ? "," : "", (u64)be32(cpus[i].servers[k]));
		print("\n");
	}
	print("boot server=%u\n", boot_thread->server);
}

struct thread *thread_by_server(u64 server)
{
	for (u64 i = 0; i < nthreads; i++)
		if (threads[i]->server == server)
			return threads[i];
	return NULL;
}

s64 cpu_start(struct thread *t)
{
	if (!t->stack)
		t->stack = (u64)heap_alloc(STACK_BYTES, 16) + STACK_BYTES;
	t->request = REQUEST_NONE;
	sync();
	return rtas("start-cpu", 3, t->server, (u64)secondary_start, (u64)t);
}

/* Wait until a word of a thread's record has the value, but not for ever. */
static int wait_word(volatile u64 *word, u64 value)
{
	u64 start = timebase();

	while (*word != value) {
		if (timebase() - start > PATIENCE_SECONDS * timebase_hz)
			return 0;
		yield();
	}
	sync();
	return 1;
}

/* Starts all threads but ours, then waits for each; returns how many run. */
u64 cpus_start_all(void)
{
	u64 up = 0;

	for (u64 i = 0; i < nthreads; i++) {
		s64 status;

		if (threads[i] == boot_thread)
			continue;
		status = cpu_start(threads[i]);
		if (status) {
			print("warning start-cpu server=%u status=%d\n", threads[i]->server, status);
			threads[i]->stack = 0;
		}
	}
	for (u64 i = 0; i < nthreads; i++)
		if (threads[i] == boot_thread || (threads[i]->stack && wait_word(&threads[i]->running, 1)))
			up++;
	return up;
}

int thread_ask(struct thread *t, enum request request)
{
	t->request = request;
	intc->ipi(t);
	return wait_word(&t->request, REQUEST_NONE);
}

void thread_stop_self(void)
{
	u64 no_args = 0;
	u32 no_rets;

	irq_disable();
	self->running = 0;
	self->request = REQUEST_NONE;
	sync();
	rtas_call("stop-self", 0, 0, &no_args, &no_rets);
	for (;;)
		cede();
}

void secondary_main(void)
{
	self->pir = spr_pir();
	intc->thread_init();
	decrementer_start();
	sync();
	self->running = 1;
	for (;;) {
		irq_disable();
		if (self->request == REQUEST_STOP)
			thread_stop_self();
		if (self->request == REQUEST_IDS) {
			self->pir = spr_pir();
			sync();
			self->request = REQUEST_NONE;
		}
		/* An interrupt that comes between the test and here stays pending and ends the wait at once. */
		cede();
	}
}
