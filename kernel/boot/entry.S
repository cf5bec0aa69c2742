// The way from QEMU's PVH entry (xen/include/public/arch-x86/hvm/start_info.h: 32-bit protected mode, no paging,
// ebx: the physical address of hvm_start_info) and from the other processors' start into C++.
#include "kernel/cpu/layout.h"

#define PHYSICAL(symbol) (symbol - OSP_KERNEL_BASE)
#define CR0_ON 0x80010001  /* paging, write protection, protection */
#define CR4_ON 0x6a0       /* PAE, PGE, OSFXSR, OSXMMEXCPT */
#define EFER_ON 0x901      /* SYSCALL, long mode, NX */

    .section .note.Xen, "a"
    .align 4
    .long 4, 8, 18         // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .align 4
    .quad PHYSICAL(osp_pvh_entry)

    .section .text.boot, "ax"
    .code32
    .global osp_pvh_entry
osp_pvh_entry:
    cld
    mov %ebx, %esi
    mov $0x80000001, %eax
    cpuid
    and $(1 << 29 | 1 << 20), %edx      // long mode and NX
    cmp $(1 << 29 | 1 << 20), %edx
    jne too_old
    // The first GiB, at its own address, in the physical map and at the kernel's.
    mov $PHYSICAL(osp_boot_directory), %edi
    mov $0x83, %eax
    mov $512, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    mov $PHYSICAL(osp_boot_directory) + 3, %eax
    mov %eax, PHYSICAL(osp_boot_pointers)
    mov %eax, PHYSICAL(osp_boot_pointers) + 510 * 8
    mov $PHYSICAL(osp_boot_pointers) + 3, %eax
    mov %eax, PHYSICAL(osp_boot_root)
    mov %eax, PHYSICAL(osp_boot_root) + 256 * 8
    mov %eax, PHYSICAL(osp_boot_root) + 511 * 8
    mov $PHYSICAL(osp_boot_root), %edi
    mov $PHYSICAL(osp_boot_descriptors_pointer), %ebp
    mov $PHYSICAL(1f), %ebx
    jmp enter_long_mode_32
1:  ljmp $OSP_KERNEL_CODE, $PHYSICAL(first_64)

// edi: the root of the page tables, ebp: the pointer to the descriptors, ebx: where to go on
enter_long_mode_32:
    mov $CR4_ON, %eax
    mov %eax, %cr4
    mov %edi, %cr3
    mov $0xc0000080, %ecx
    mov $EFER_ON, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_ON, %eax
    mov %eax, %cr0
    lgdt (%ebp)
    jmp *%ebx

too_old:
    mov $PHYSICAL(too_old_text), %esi
    mov $(too_old_end - too_old_text), %ecx
    mov $0xe9, %edx
    rep outsb
    mov $0xf4, %edx
    mov $1, %al
    outb %al, %dx
2:  hlt
    jmp 2b

    .code64
first_64:
    mov $OSP_KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    movabs $osp_boot_stack_end, %rsp
    xor %ebp, %ebp
    mov %esi, %edi
    movabs $osp_boot_main, %rax
    call *%rax
    ud2

// What the other processors run, copied to the page at `OSP_TRAMPOLINE`: real mode, cs is that page.
    .code16
    .global osp_trampoline_start, osp_trampoline_end
osp_trampoline_start:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl (trampoline_descriptors_pointer - osp_trampoline_start)
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $0x08, $PHYSICAL(next_32)
    .align 8
trampoline_descriptors_pointer:
    .word osp_boot_descriptors_end - osp_boot_descriptors - 1
    .long PHYSICAL(osp_boot_descriptors)
osp_trampoline_end:

    .code32
next_32:
    mov $OSP_KERNEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $PHYSICAL(osp_boot_root), %edi
    mov $PHYSICAL(osp_boot_descriptors_pointer), %ebp
    // They come all at once: one takes the place that is offered, the others wait for the next.
    xor %eax, %eax
1:  pause
    cmp %eax, PHYSICAL(osp_place_offered)
    je 1b
    xchg %eax, PHYSICAL(osp_place_offered)
    test %eax, %eax
    jz 1b
    mov $PHYSICAL(osp_boot_root), %edi
    mov $PHYSICAL(osp_boot_descriptors_pointer), %ebp
    mov $PHYSICAL(2f), %ebx
    jmp enter_long_mode_32
2:  ljmp $OSP_KERNEL_CODE, $PHYSICAL(next_64)

    .code64
next_64:
    movabs $1f, %rax                 // the kernel's tables do not have the first GiB at its own address
    jmp *%rax
1:  movabs $osp_kernel_root, %rax
    mov (%rax), %rax
    movabs $osp_next_stack, %rcx
    mov (%rcx), %rsp
    mov %rax, %cr3
    xor %ebp, %ebp
    movabs $osp_processor_main, %rax
    call *%rax
    ud2

    .section .rodata
    .align 8
osp_boot_descriptors:
    .quad 0
    .quad 0x00cf9b000000ffff     // 0x08: 32-bit code
    .quad 0x00af9b000000ffff     // 0x10: 64-bit code
    .quad 0x00cf93000000ffff     // 0x18: data
osp_boot_descriptors_end:
osp_boot_descriptors_pointer:
    .word osp_boot_descriptors_end - osp_boot_descriptors - 1
    .long PHYSICAL(osp_boot_descriptors)
    .long 0
too_old_text: .ascii "osp-kernel: this processor has no long mode or no NX\n"
too_old_end:

    .section .bss
    .align 4096
osp_boot_root: .skip 4096
osp_boot_pointers: .skip 4096
osp_boot_directory: .skip 4096
    .global osp_boot_stack_end
    .skip 16384
osp_boot_stack_end:

    .section .note.GNU-stack, "", @progbits
