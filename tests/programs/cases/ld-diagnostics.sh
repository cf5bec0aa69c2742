#: about: what glibc's loader says of the processor is the same after the core answers its cpuid instructions
#: needs: bash
# (The left-out number is that of the processor it was said on.)
# The first process of an environment, its child and its grandchild: what one learns of the loader the next one uses.
say() { /lib64/ld-linux-x86-64.so.2 --list-diagnostics | grep -E '^(x86|dl_hwcap)' | grep -v 'features.0x0..cpuid.0x1'; }
say
bash -c "$(declare -f say); say; bash -c '$(declare -f say); say'"
