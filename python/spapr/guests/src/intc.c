/* Which interrupt controller the tree describes, and what the guest does with a source's interrupt. */
#include "guest.h"

const struct intc *intc;
u64 vty_irq;

void intc_init(void)
{
	xive_node = fdt_find_compatible("ibm,power-ivpe");
	intc = xive_node ? &xive : &xics;
	intc->init();
}

void intc_handle(u64 irq)
{
	self->ext++;
	if (irq == vty_irq && self == boot_thread)
		console_drain();
}
