/* The finished vdso.so as bytes of the core; OSP_VDSO_FILE is its path. */
        .section .rodata
        .globl osp_vdso_begin
        .globl osp_vdso_end
        .p2align 12
osp_vdso_begin:
        .incbin OSP_VDSO_FILE
osp_vdso_end:
        .byte 0

        .section .note.GNU-stack, "", @progbits
