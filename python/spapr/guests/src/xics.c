/* XICS: one presenter per thread behind H_XIRR, H_EOI, H_CPPR and H_IPI; sources are routed by RTAS (PAPR, XICS). */
#include "guest.h"

#define IPI_SOURCE 2            /* what H_XIRR shows for an interrupt by MFRR */
#define PRIORITY_IPI 4
#define PRIORITY_SOURCE 5
#define PRIORITY_ANY 0xff

static void xics_init(void)
{
}

static void xics_thread_init(void)
{
	hcall(H_IPI, self->server, PRIORITY_ANY, 0, 0);
	hcall(H_CPPR, PRIORITY_ANY, 0, 0, 0);
}

static void xics_source_enable(u64 irq)
{
	s64 status = rtas("ibm,set-xive", 3, irq, boot_thread->server, PRIORITY_SOURCE);

	if (status)
		print("warning ibm,set-xive irq=0x%x status=%d\n", irq, status);
}

static void xics_external(void)
{
	u64 xirr;

	while (hcall_out(H_XIRR, 0, 0, 0, 0, &xirr, 1) == H_SUCCESS && (xirr & 0xffffff)) {
		if ((xirr & 0xffffff) == IPI_SOURCE) {
			/* Withdraw the request before counting it: the sender may send again as soon as it sees the count. */
			hcall(H_IPI, self->server, PRIORITY_ANY, 0, 0);
			self->ipi++;
		} else {
			intc_handle(xirr & 0xffffff);
		}
		hcall(H_EOI, (u32)xirr, 0, 0, 0);
	}
}

static void xics_ipi(struct thread *to)
{
	sync();
	hcall(H_IPI, to->server, PRIORITY_IPI, 0, 0);
}

const struct intc xics = { "xics", xics_init, xics_thread_init, xics_source_enable, xics_external, xics_ipi };
