/*
 * Everything the embedded guest's files share: types, the per-thread record, and one block of declarations per file.
 *
 * The guest runs in real mode (MSR IR=DR=0) from the first instruction to the last, so every pointer is a guest real
 * address, which is also what hypercalls and RTAS want.  One thread, the boot thread, talks to the console; the others
 * wait in H_CEDE and answer requests.
 */
#ifndef GUEST_H
#define GUEST_H

/* Offsets in struct thread that the assembly uses; checked by static asserts below. */
#define THREAD_SAVED_R3 0
#define THREAD_SAVED_LR 8
#define THREAD_ENTRY 16
#define THREAD_TOC 24
#define THREAD_STACK 32

/* The interrupt frame: an ABI header, then struct frame.  The red zone below r1 belongs to the interrupted code. */
#define FRAME_HEADER 96
#define FRAME_WORDS 42
#define FRAME_SIZE (FRAME_HEADER + FRAME_WORDS * 8)
#define RED_ZONE 512

/* One stub of eight instructions in every slot of this size, from the first vector to the end of the vector page. */
#define VECTOR_SLOT 0x20
#define VECTORS_START 0x100
#define VECTORS_END 0x2000

#define MSR_ME 0x1000
#define MSR_EE 0x8000
#define MSR_RI 0x2

#ifndef __ASSEMBLER__

#define GUEST_VERSION 1

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;

#define NULL ((void *)0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifdef __LITTLE_ENDIAN__
#define ENDIAN_NAME "le"
static inline u32 be32(u32 v) { return __builtin_bswap32(v); }
static inline u64 be64(u64 v) { return __builtin_bswap64(v); }
#else
#define ENDIAN_NAME "be"
static inline u32 be32(u32 v) { return v; }
static inline u64 be64(u64 v) { return v; }
#endif

/* What the interrupt entry saves; the order is the assembly's. */
struct frame {
	u64 gpr[32];
	u64 lr, ctr, cr, xer, srr0, srr1, dar, dsisr, vector, unused;
};

/* What a thread is asked to do by the boot thread. */
enum request { REQUEST_NONE, REQUEST_IDS, REQUEST_STOP };

struct thread {
	u64 saved_r3;   /* the vector stub's scratch */
	u64 saved_lr;
	u64 entry;      /* where the stub goes on */
	u64 toc;
	u64 stack;
	u64 server;     /* what the device tree and start-cpu call it */
	u64 reg;        /* the core it belongs to */
	u64 index;      /* its place in the core */
	u64 pir;        /* what it says of itself */
	volatile u64 running;
	volatile u64 request;
	volatile u64 dec, ext, ipi, sreset;
	volatile u64 expect;    /* a fault is expected; cleared when it came */
	struct frame fault;     /* the expected fault, as it came */
	u64 queue, queue_index, queue_toggle, lisn;  /* XIVE only */
};

_Static_assert(__builtin_offsetof(struct thread, saved_r3) == THREAD_SAVED_R3, "");
_Static_assert(__builtin_offsetof(struct thread, saved_lr) == THREAD_SAVED_LR, "");
_Static_assert(__builtin_offsetof(struct thread, entry) == THREAD_ENTRY, "");
_Static_assert(__builtin_offsetof(struct thread, toc) == THREAD_TOC, "");
_Static_assert(__builtin_offsetof(struct thread, stack) == THREAD_STACK, "");
_Static_assert(sizeof(struct frame) == FRAME_WORDS * 8, "");

/* r13 is the thread pointer of the ABI; nothing else uses it. */
register struct thread *self asm("r13");

static inline u64 timebase(void)
{
	u64 tb;
	asm volatile("mfspr %0,268" : "=r"(tb));
	return tb;
}

static inline void irq_enable(void) { asm volatile("mtmsrd %0,1" : : "r"((u64)(MSR_EE | MSR_RI)) : "memory"); }
static inline void irq_disable(void) { asm volatile("mtmsrd %0,1" : : "r"((u64)MSR_RI) : "memory"); }
static inline void sync(void) { asm volatile("sync" : : : "memory"); }

/* head.S */
extern char image_start[], image_end[], secondary_start[], interrupt_entry[], vector_stub[];
void hypercall(u64 regs[10]);                 /* r3..r12 in and out */
u64 toc_pointer(void);

/* hcall.c */
#define H_SUCCESS 0
#define H_BUSY 1
#define H_GET_TERM_CHAR 0x54
#define H_PUT_TERM_CHAR 0x58
#define H_EOI 0x64
#define H_CPPR 0x68
#define H_IPI 0x6c
#define H_XIRR 0x74
#define H_LOGICAL_CI_LOAD 0x3c
#define H_LOGICAL_CI_STORE 0x40
#define H_CEDE 0xe0
#define H_CONFER 0xe4
#define H_SET_MODE 0x31c
#define H_INT_GET_SOURCE_INFO 0x3a8
#define H_INT_SET_SOURCE_CONFIG 0x3ac
#define H_INT_SET_QUEUE_CONFIG 0x3b8
#define H_INT_ESB 0x3c8
#define H_RTAS 0xf000
s64 hcall(u64 number, u64 a, u64 b, u64 c, u64 d);
s64 hcall_out(u64 number, u64 a, u64 b, u64 c, u64 d, u64 *out, u64 outs);
void cede(void);                              /* wait for an interrupt; returns with interrupts enabled */
void yield(void);                             /* let others run; any interrupt state */

/* string.c */
void *memset(void *to, int byte, u64 n);
void *memcpy(void *to, const void *from, u64 n);
u64 strlen(const char *s);
int same(const char *a, const char *b);
int same_prefix(const char *prefix, const char *s);
int parse_number(const char *s, u64 *value);  /* decimal, 0x…, a leading '-'; false if it is none */

/* console.c */
void console_init(u64 unit);
void console_drain(void);                     /* interrupts disabled: FIFO to ring */
int console_line(char *line, u64 size);       /* waits for a line; false if it was too long */
void print(const char *format, ...);          /* %s %u %d %x (the numbers are 64-bit), %02x style width with zeros */
void print_flush(void);

/* fdt.c: nodes and properties are addresses in the tree; 0 is none */
int fdt_init(void *blob);
u64 fdt_size(void *blob);
u64 fdt_boot_cpu(void);
u64 fdt_root(void);
u64 fdt_first_child(u64 node);
u64 fdt_next_sibling(u64 node);
const char *fdt_name(u64 node);
u64 fdt_child(u64 node, const char *name);    /* by name, with or without its unit address */
const void *fdt_prop(u64 node, const char *name, u32 *len);
u64 fdt_cells(u64 node, const char *name, u64 index, u64 cells, u64 fallback);
int fdt_compatible(u64 node, const char *what);
u64 fdt_find_compatible(const char *what);

/* rtas.c */
void rtas_init(void);
int rtas_token(const char *name, u32 *token);
#define RTAS_MISSING (-99999)
s64 rtas_call(const char *name, u64 nargs, u64 nret, const u64 *args, u32 *rets);
s64 rtas(const char *name, u64 nargs, u64 a, u64 b, u64 c);     /* status only */
u64 rtas_returns(const char *name);
__attribute__((noreturn)) void rtas_panic(const char *message);

/* memory.c */
void heap_init(u64 fdt_bytes);
void *heap_alloc(u64 size, u64 align);
u64 heap_end(void);
void dirty_init(void);
void dirty_tick(void);                        /* boot thread's decrementer: spend what the rate allows */
const char *dirty_start(u64 rate, u64 mib);   /* NULL or what is wrong */
int dirty_running(void);
void dirty_stop(void);
void dirty_report(void);
u64 dirty_verify(void);                       /* prints; returns the number of bad pages */
u64 window_start(void);
u64 window_bytes(void);

/* intc.c */
struct intc {
	const char *name;
	void (*init)(void);
	void (*thread_init)(void);                /* on the thread itself */
	void (*source_enable)(u64 irq);           /* route it to the boot thread */
	void (*external)(void);                   /* 0x500 */
	void (*ipi)(struct thread *to);
};
extern const struct intc xics, xive;
extern const struct intc *intc;
extern u64 vty_irq;
void intc_init(void);
void intc_handle(u64 irq);                    /* a source's interrupt has come */

/* cas.c */
s64 cas_negotiate_xive(void);

/* xive.c */
extern u64 xive_node;

/* interrupts.c */
extern u64 timebase_hz;
void vectors_install(void);
void decrementer_start(void);
void decrementer_storm(void);
int fault_came(void);
void fault_print(void);
#define GUARDED(statement) (self->expect = 1, ({ asm volatile("" : : : "memory"); statement; asm volatile("" : : : "memory"); }), fault_came())

/* cpus.c */
struct cpu { u64 reg; const u32 *servers; u64 nservers; };
extern struct thread **threads;
extern u64 nthreads;
extern struct thread *boot_thread;
#define PATIENCE_SECONDS 10     /* a loaded host is slow; what is broken stays silent for ever */
u64 spr_pir(void);
void cpus_init(void);
void cpus_print(void);
u64 cpus_start_all(void);
s64 cpu_start(struct thread *t);
struct thread *thread_by_server(u64 server);
int thread_ask(struct thread *t, enum request request); /* true if answered in time */
__attribute__((noreturn)) void thread_stop_self(void);
__attribute__((noreturn)) void secondary_main(void);

/* sprs.c */
int spr_number(const char *name, u64 *number);
int spr_read(u64 number, u64 *value);         /* true if it raised an interrupt (self->fault) */
int spr_write(u64 number, u64 value);
void sprs_print(void);

/* faults.c */
int fault_provoke(const char *kind);          /* false: no such kind */
void fault_kinds_print(void);

/* commands.c */
extern u8 scratch[4096];
__attribute__((noreturn)) void commands_run(void);

#endif
#endif
