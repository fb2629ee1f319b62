/*
 * Entry, interrupt entry and the hypercall instruction: what C cannot say.
 *
 * Whoever starts us (a VMM's direct boot, or RTAS start-cpu) enters big-endian, perhaps in 32-bit mode.  Everything is
 * addressed from the place where we find ourselves, so the image may be loaded at any 64-byte aligned address.
 */
#include "guest.h"

#ifdef __LITTLE_ENDIAN__
#define NATIVE_MSR 0x1003       /* ME | RI | LE */
#else
#define NATIVE_MSR 0x1002       /* ME | RI */
#endif

/* An instruction as the other endianness sees it. */
.macro swapped word
	.long ((\word & 0xff) << 24) | ((\word & 0xff00) << 8) | ((\word >> 8) & 0xff00) | ((\word >> 24) & 0xff)
.endm

/*
 * Go on in our own endianness, 64-bit, interrupts off, whichever the entry was.  `tdi 0,0,0x48` never traps; its bytes
 * reversed are `b .+8`, so a CPU in the wrong endianness lands on the swapped words, which flip MSR[LE] and return here.
 * r10, r11 and LR are lost.
 */
.macro settle
	tdi	0, 0, 0x48
	b	88f
	swapped 0x7d6000a6      /* mfmsr  r11 */
	swapped 0x696b0001      /* xori   r11,r11,1 (LE) */
	swapped 0x39400001      /* li     r10,1 */
	swapped 0x794bf80e      /* rldimi r11,r10,63,0 (SF) */
	swapped 0x429f0005      /* bcl    20,31,.+4 */
	swapped 0x7d4802a6      /* mflr   r10 */
	swapped 0x394a0014      /* addi   r10,r10,20: the label below, counted from the mflr */
	swapped 0x7d5a03a6      /* mtsrr0 r10 */
	swapped 0x7d7b03a6      /* mtsrr1 r11 */
	swapped 0x4c000024      /* rfid */
88:	li	%r10, 1
	sldi	%r10, %r10, 63
	ori	%r10, %r10, NATIVE_MSR
	mtmsrd	%r10
	isync
.endm

	.section .head, "ax"
	.globl	_start
	.globl	image_start
image_start:
_start:
	settle
	/* r31 = where we are; the image is linked at 0, so this is also what every address needs added. */
	bcl	20, 31, 1f
1:	mflr	%r31
	addi	%r31, %r31, _start - 1b
	mr	%r30, %r3               /* the flattened device tree */

	/* Relocations: R_PPC64_RELATIVE alone, {offset, info, addend}. */
	addis	%r4, %r31, (__rela_start - _start)@ha
	addi	%r4, %r4, (__rela_start - _start)@l
	addis	%r5, %r31, (__rela_end - _start)@ha
	addi	%r5, %r5, (__rela_end - _start)@l
2:	cmpld	%r4, %r5
	bge	3f
	ld	%r6, 0(%r4)
	ld	%r7, 16(%r4)
	add	%r7, %r7, %r31
	stdx	%r7, %r6, %r31
	addi	%r4, %r4, 24
	b	2b
3:
	addis	%r4, %r31, (__bss_start - _start)@ha
	addi	%r4, %r4, (__bss_start - _start)@l
	addis	%r5, %r31, (__bss_end - _start)@ha
	addi	%r5, %r5, (__bss_end - _start)@l
	li	%r6, 0
4:	cmpld	%r4, %r5
	bge	5f
	std	%r6, 0(%r4)
	addi	%r4, %r4, 8
	b	4b
5:
	addis	%r2, %r31, (.TOC. - _start)@ha
	addi	%r2, %r2, (.TOC. - _start)@l
	addis	%r1, %r31, (boot_stack_end - _start)@ha
	addi	%r1, %r1, (boot_stack_end - _start)@l
	addi	%r1, %r1, -128
	li	%r13, 0
	std	%r13, 0(%r1)
	mr	%r3, %r30
	bl	guest_main
	nop
6:	b	6b

/* RTAS start-cpu enters here with r3 = our struct thread. */
	.balign 64
	.globl	secondary_start
secondary_start:
	settle
	mr	%r13, %r3
	mtsprg	0, %r13
	ld	%r2, THREAD_TOC(%r13)
	ld	%r1, THREAD_STACK(%r13)
	addi	%r1, %r1, -128
	li	%r0, 0
	std	%r0, 0(%r1)
	bl	secondary_main
	nop
7:	b	7b

/*
 * Copied into every vector slot.  The stub is exactly one slot long and ends in `blrl`, so LR says which slot it was.
 */
	.balign 64
	.globl	vector_stub
vector_stub:
	mtsprg	2, %r1
	mfsprg	%r1, 0
	std	%r3, THREAD_SAVED_R3(%r1)
	mflr	%r3
	std	%r3, THREAD_SAVED_LR(%r1)
	ld	%r3, THREAD_ENTRY(%r1)
	mtlr	%r3
	blrl

#define GPR(n) (FRAME_HEADER + 8 * (n))
	.balign 64
	.globl	interrupt_entry
interrupt_entry:
	mfsprg	%r3, 2
	addi	%r3, %r3, -(RED_ZONE + FRAME_SIZE)
	std	%r0, GPR(0)(%r3)
	std	%r2, GPR(2)(%r3)
	.irp	n, 4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	std	%r\n, GPR(\n)(%r3)
	.endr
	mfsprg	%r4, 2
	std	%r4, GPR(1)(%r3)
	std	%r4, 0(%r3)
	ld	%r4, THREAD_SAVED_R3(%r1)
	std	%r4, GPR(3)(%r3)
	ld	%r4, THREAD_SAVED_LR(%r1)
	std	%r4, GPR(32)(%r3)
	mfctr	%r4
	std	%r4, GPR(33)(%r3)
	mfcr	%r4
	std	%r4, GPR(34)(%r3)
	mfxer	%r4
	std	%r4, GPR(35)(%r3)
	mfspr	%r4, 26
	std	%r4, GPR(36)(%r3)
	mfspr	%r4, 27
	std	%r4, GPR(37)(%r3)
	mfspr	%r4, 19
	std	%r4, GPR(38)(%r3)
	mfspr	%r4, 18
	std	%r4, GPR(39)(%r3)
	mflr	%r4
	addi	%r4, %r4, -VECTOR_SLOT
	std	%r4, GPR(40)(%r3)
	mr	%r13, %r1
	ld	%r2, THREAD_TOC(%r13)
	mr	%r1, %r3
	/* A reservation of the interrupted code must not let a store of ours, or of the next, pass for its own. */
	addi	%r5, %r1, GPR(41)
	stdcx.	%r4, 0, %r5
	addi	%r3, %r1, FRAME_HEADER
	bl	interrupt
	nop
	ld	%r4, GPR(32)(%r1)
	mtlr	%r4
	ld	%r4, GPR(33)(%r1)
	mtctr	%r4
	ld	%r4, GPR(34)(%r1)
	mtcr	%r4
	ld	%r4, GPR(35)(%r1)
	mtxer	%r4
	ld	%r4, GPR(36)(%r1)
	ld	%r5, GPR(37)(%r1)
	mtspr	26, %r4
	mtspr	27, %r5
	ld	%r0, GPR(0)(%r1)
	.irp	n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	%r\n, GPR(\n)(%r1)
	.endr
	ld	%r1, GPR(1)(%r1)
	rfid

/* void hypercall(u64 regs[10]): r3..r12 from and to the array. */
	.text
	.globl	hypercall
hypercall:
	mflr	%r0
	std	%r0, 16(%r1)
	mfcr	%r0
	std	%r0, 8(%r1)
	stdu	%r1, -64(%r1)
	std	%r3, 48(%r1)
	mr	%r12, %r3
	.irp	n, 3,4,5,6,7,8,9,10,11,12
	ld	%r\n, (\n - 3) * 8(%r12)
	.endr
	sc	1
	std	%r12, 40(%r1)
	ld	%r12, 48(%r1)
	.irp	n, 3,4,5,6,7,8,9,10,11
	std	%r\n, (\n - 3) * 8(%r12)
	.endr
	ld	%r0, 40(%r1)
	std	%r0, 72(%r12)
	addi	%r1, %r1, 64
	ld	%r0, 8(%r1)
	mtcr	%r0
	ld	%r0, 16(%r1)
	mtlr	%r0
	blr

	.globl	toc_pointer
toc_pointer:
	mr	%r3, %r2
	blr

	.section .bss.stack, "aw", @nobits
	.balign 16
	.space	16384
boot_stack_end:
