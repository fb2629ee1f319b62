/*
 * ibm,client-architecture-support, asked without Open Firmware: the hypercall behind it takes the same structure.
 *
 * Only a XIVE machine needs it: the H_INT_* calls exist after XIVE has been negotiated, and only then.  The answer is a
 * new tree, which says nothing that we do not know, so it goes where the dirty window will be and is forgotten.
 */
#include "guest.h"

#define H_CAS 0xf002
#define REPLY_MAX (2ul << 20)

/* Option vector 5, bytes counted from 1 (PAPR, ibm,architecture-vec-5). */
#define OV5_BYTES 26
#define OV5_AFFINITY 5
#define OV5_XIVE 23
#define OV5_MMU 24
#define OV5_RADIX 26

#define OV1_ISA_3_0 3

/* The platform's word on an option byte: pairs of {index counted from 0 at the vector's length, value}. */
static u8 platform(u8 byte)
{
	u32 len;
	const u8 *p = fdt_prop(fdt_child(fdt_root(), "chosen"), "ibm,arch-vec-5-platform-support", &len);

	for (u32 i = 0; p && i + 1 < len; i += 2)
		if (p[i] == byte)
			return p[i + 1];
	return 0;
}

static u8 *put_pvr(u8 *at, u32 mask, u32 pvr)
{
	u32 pair[2] = { be32(mask), be32(pvr) };

	memcpy(at, pair, sizeof(pair));
	return at + sizeof(pair);
}

s64 cas_negotiate_xive(void)
{
	static u8 request[128] __attribute__((aligned(16)));
	u8 *at = request, *ov1, *ov5;
	u64 room = window_bytes() < REPLY_MAX ? window_bytes() : REPLY_MAX;
	u32 pvr;

	asm volatile("mfspr %0,287" : "=r"(pvr));
	at = put_pvr(at, 0xffffffff, pvr);
	for (u32 level = 0x0f000005; level <= 0x0f000007; level++)
		at = put_pvr(at, 0xffffffff, level);
	at = put_pvr(at, 0, 0xffffffff);        /* bits outside the mask: the end */
	*at++ = 5 - 1;                          /* five vectors; lengths are given less one too */
	*at++ = OV1_ISA_3_0 - 1;
	ov1 = at - 1;
	at += OV1_ISA_3_0;
	ov1[OV1_ISA_3_0] = 0x80;
	for (u64 i = 2; i < 5; i++)
		at += 2;                        /* vectors 2 to 4: one zero byte */
	*at++ = OV5_BYTES - 1;
	ov5 = at - 1;
	ov5[OV5_AFFINITY] = 0x80;               /* FORM1 */
	ov5[OV5_XIVE] = 0x40;                   /* exploitation */
	/* Staying with what real mode already runs on: radix where the platform has it. */
	if (platform(OV5_MMU) & 0xc0) {
		ov5[OV5_MMU] = 0x40;
		ov5[OV5_RADIX] = platform(OV5_RADIX) & 0x40;
	}
	return hcall(H_CAS, (u64)request, window_start(), room, 0);
}
