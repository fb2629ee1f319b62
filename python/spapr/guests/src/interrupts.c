/*
 * Interrupts: the vectors, the decrementer, and faults that a command expects.
 *
 * Anything unexpected is printed and reported to the machine as a panic, so a test sees it instead of a timeout.
 */
#include "guest.h"

#define TICKS_PER_SECOND 50
#define STUB_BYTES VECTOR_SLOT

enum vector {
	SYSTEM_RESET = 0x100, EXTERNAL = 0x500, DECREMENTER = 0x900, SYSTEM_CALL = 0xc00,
};

u64 timebase_hz = 512000000;

void vectors_install(void)
{
	for (u64 at = VECTORS_START; at < VECTORS_END; at += STUB_BYTES)
		memcpy((void *)at, vector_stub, STUB_BYTES);
	/* Line by line, at the smallest line of any model. */
	for (u64 at = 0; at < VECTORS_END; at += 32)
		asm volatile("dcbst 0,%0; sync; icbi 0,%0" : : "r"(at) : "memory");
	asm volatile("sync; isync" : : : "memory");
}

static int storm;

void decrementer_storm(void)
{
	storm = 1;
	asm volatile("mtspr 22,%0" : : "r"(-1l));
}

void decrementer_start(void)
{
	asm volatile("mtspr 22,%0" : : "r"(timebase_hz / TICKS_PER_SECOND));
}

int fault_came(void)
{
	int came = !self->expect;

	self->expect = 0;
	return came;
}

void fault_print(void)
{
	const struct frame *f = &self->fault;

	print("vector=0x%x srr0=0x%x srr1=0x%x dar=0x%x dsisr=0x%x", f->vector, f->srr0, f->srr1, f->dar, f->dsisr);
}

static void unexpected(const struct frame *f)
{
	self->fault = *f;
	print("\nunexpected interrupt server=%u ", self->server);
	fault_print();
	print(" lr=0x%x r1=0x%x image=0x%x\n", f->lr, f->gpr[1], (u64)image_start);
	rtas_panic("spapr-guest: unexpected interrupt");
}

static void fault(struct frame *f)
{
	if (!self->expect)
		unexpected(f);
	self->fault = *f;
	self->expect = 0;
	/*
	 * Resume behind the instruction; a fetch that failed resumes at its caller, a system call is past itself already.
	 * Whether a fetch from nowhere is a storage interrupt or a machine check differs between machines, so ask where it was.
	 */
	if (f->srr0 - (u64)image_start >= (u64)(image_end - image_start))
		f->srr0 = f->lr;
	else if (f->vector != SYSTEM_CALL)
		f->srr0 += 4;
}

void interrupt(struct frame *f)
{
	switch (f->vector) {
	case DECREMENTER:
		self->dec++;
		if (self == boot_thread)
			dirty_tick();
		/* Last, so that however long that took, the interrupted code has a whole period. */
		if (storm)
			decrementer_storm();
		else
			decrementer_start();
		break;
	case EXTERNAL:
		intc->external();
		break;
	case SYSTEM_RESET:
		self->sreset++;
		break;
	default:
		fault(f);
	}
}
