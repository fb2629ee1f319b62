/* From the first C function to the prompt. */
#include "guest.h"

#define SET_MODE_LE 4

/* The terminal with the lowest unit address, which is also the one the firmware talks to. */
static u64 find_vty(void)
{
	u64 lowest = 0, best = 0;

	for (u64 n = fdt_first_child(fdt_child(fdt_root(), "vdevice")); n; n = fdt_next_sibling(n)) {
		u64 unit = fdt_cells(n, "reg", 0, 1, 0);

		if (same_prefix("vty", fdt_name(n)) && (!best || unit < lowest)) {
			lowest = unit;
			best = n;
		}
	}
	vty_irq = fdt_cells(best, "interrupts", 0, 1, 0);
	return lowest;
}

/* Without a tree there are no services to report to, and no vectors yet, so no sleep either. */
static __attribute__((noreturn)) void give_up(void)
{
	for (;;)
		yield();
}

void guest_main(void *fdt)
{
	u64 bytes = fdt_size(fdt), up;
	void *copy;

	/* Unit 0 is the first terminal: enough to complain. */
	console_init(0);
	heap_init((u64)image_end);
	if (!bytes) {
		print("error no device tree at 0x%x\n", (u64)fdt);
		give_up();
	}
	/* The tree lies at the top of the real mode area; the window wants that place. */
	copy = heap_alloc(bytes, 4096);
	memcpy(copy, fdt, bytes);
	if (!fdt_init(copy)) {
		print("error bad device tree at 0x%x\n", (u64)fdt);
		give_up();
	}
	rtas_init();
	console_init(find_vty());
	cpus_init();
	asm volatile("mtsprg 0,%0" : : "r"(self));
	dirty_init();
	intc_init();
	/* Interrupts come in this endianness only if the machine is told; start-cpu hands it on. */
	hcall(H_SET_MODE, ENDIAN_NAME[0] == 'l', SET_MODE_LE, 0, 0);
	vectors_install();
	intc->thread_init();
	if (vty_irq)
		intc->source_enable(vty_irq);

	print("spapr-guest %u %s\n", (u64)GUEST_VERSION, ENDIAN_NAME);
	cpus_print();
	decrementer_start();
	irq_enable();
	up = cpus_start_all();
	print("threads up=%u\n", up);
	print("ready\n");
	commands_run();
}
