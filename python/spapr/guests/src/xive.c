/*
 * XIVE, exploited: each thread has an event queue in memory; sources are configured by H_INT_* calls (PAPR, XIVE).
 *
 * The thread's management area and the sources' state pages are MMIO.  Real mode without hypervisor privilege reaches
 * RAM only, so they are accessed by H_LOGICAL_CI_LOAD and H_LOGICAL_CI_STORE, which the machine carries out for us.
 */
#include "guest.h"

#define PRIORITY 6
#define ESB_SET_PQ_00 0xc00
#define SOURCE_USES_HCALL 8     /* H_INT_GET_SOURCE_INFO: manage by H_INT_ESB */
#define TIMA_CPPR 0x11
#define TIMA_ACK 0x810
#define QUEUE_ALWAYS_NOTIFY 1
#define SOURCE_SET_EISN 2

u64 xive_node;
static u64 tima;
static u64 queue_shift = 16;

static u64 mmio_load(u64 size, u64 at)
{
	u64 value = ~0ul;

	hcall_out(H_LOGICAL_CI_LOAD, size, at, 0, 0, &value, 1);
	return value;
}

static void mmio_store(u64 size, u64 at, u64 value)
{
	hcall(H_LOGICAL_CI_STORE, size, at, value, 0);
}

static void xive_init(void)
{
	u32 len;
	const u32 *sizes = fdt_prop(xive_node, "ibm,xive-eq-sizes", &len);
	s64 status;

	/* The second range of `reg` is the operating system's page; the first is the user's. */
	tima = fdt_cells(xive_node, "reg", 4, 2, 0);
	if (sizes && len >= 4)
		queue_shift = be32(sizes[0]);
	for (u64 i = 0; i < nthreads; i++) {
		threads[i]->queue = (u64)heap_alloc(1ul << queue_shift, 1ul << queue_shift);
		/* Any interrupt number of the range may be any thread's; there are at least as many as servers. */
		threads[i]->lisn = fdt_cells(xive_node, "ibm,xive-lisn-ranges", 0, 1, 0) + i;
	}
	status = cas_negotiate_xive();
	if (status)
		print("warning client-architecture-support status=%d\n", status);
}

/* Ready a source: route it, then let its state go from "off" to "ready". */
static s64 source_open(u64 lisn, u64 server)
{
	u64 info[4] = { 0 };
	s64 status = hcall_out(H_INT_GET_SOURCE_INFO, 0, lisn, 0, 0, info, 4);
	u64 regs[10] = { H_INT_SET_SOURCE_CONFIG, SOURCE_SET_EISN, lisn, server, PRIORITY, lisn };

	if (status)
		return status;
	hypercall(regs);
	if (regs[0])
		return regs[0];
	if (info[0] & SOURCE_USES_HCALL)
		hcall(H_INT_ESB, 0, lisn, ESB_SET_PQ_00, 0);
	else
		mmio_load(8, info[1] + ESB_SET_PQ_00);
	return 0;
}

static void source_trigger(u64 lisn)
{
	u64 info[4];

	if (hcall_out(H_INT_GET_SOURCE_INFO, 0, lisn, 0, 0, info, 4) == H_SUCCESS)
		mmio_store(8, info[2] == ~0ul ? info[1] : info[2], 0);
}

static void source_eoi(u64 lisn)
{
	u64 info[4];

	if (hcall_out(H_INT_GET_SOURCE_INFO, 0, lisn, 0, 0, info, 4) != H_SUCCESS)
		return;
	if (info[0] & SOURCE_USES_HCALL)
		hcall(H_INT_ESB, 0, lisn, 0, 0);        /* level: the EOI load looks at the line again */
	else if (mmio_load(8, info[1] + ESB_SET_PQ_00) & 1)
		source_trigger(lisn);                   /* it came again meanwhile */
}

static void xive_thread_init(void)
{
	u64 regs[10] = { H_INT_SET_QUEUE_CONFIG, QUEUE_ALWAYS_NOTIFY, self->server, PRIORITY, self->queue, queue_shift };
	s64 status;

	memset((void *)self->queue, 0, 1ul << queue_shift);
	self->queue_index = 0;
	self->queue_toggle = 1;         /* entries begin with generation 1 */
	sync();
	hypercall(regs);
	status = regs[0];
	if (!status)
		status = source_open(self->lisn, self->server);
	if (status && self == boot_thread)
		print("warning xive server=%u status=%d\n", self->server, status);
	mmio_store(1, tima + TIMA_CPPR, 0xff);
}

static void xive_source_enable(u64 irq)
{
	s64 status = source_open(irq, boot_thread->server);

	if (status)
		print("warning xive irq=0x%x status=%d\n", irq, status);
}

static void xive_external(void)
{
	u64 words = 1ul << (queue_shift - 2);
	u64 ack = mmio_load(2, tima + TIMA_ACK);

	if (!(ack & 0x8000))
		return;
	for (;;) {
		u32 entry = be32(((volatile u32 *)self->queue)[self->queue_index]);
		u64 lisn = entry & 0x7fffffff;

		if (entry >> 31 != self->queue_toggle)
			break;
		if (++self->queue_index == words) {
			self->queue_index = 0;
			self->queue_toggle ^= 1;
		}
		source_eoi(lisn);
		if (lisn == self->lisn)
			self->ipi++;
		else
			intc_handle(lisn);
	}
	mmio_store(1, tima + TIMA_CPPR, 0xff);
}

static void xive_ipi(struct thread *to)
{
	sync();
	source_trigger(to->lisn);
}

const struct intc xive = { "xive", xive_init, xive_thread_init, xive_source_enable, xive_external, xive_ipi };
