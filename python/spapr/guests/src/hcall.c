/* Hypercalls as C calls: the number and up to four arguments, the status, and as many outputs as wanted. */
#include "guest.h"

s64 hcall_out(u64 number, u64 a, u64 b, u64 c, u64 d, u64 *out, u64 outs)
{
	u64 regs[10] = { number, a, b, c, d };

	hypercall(regs);
	for (u64 i = 0; i < outs; i++)
		out[i] = regs[1 + i];
	return regs[0];
}

s64 hcall(u64 number, u64 a, u64 b, u64 c, u64 d)
{
	return hcall_out(number, a, b, c, d, NULL, 0);
}

void cede(void)
{
	hcall(H_CEDE, 0, 0, 0, 0);
	/* PAPR lets H_CEDE set MSR[EE]; do not depend on it. */
	irq_enable();
}

void yield(void)
{
	/* To nobody in particular: a machine that runs its threads in turn should pick another now. */
	hcall(H_CONFER, ~0ul, 0, 0, 0);
}
