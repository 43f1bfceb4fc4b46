#!/bin/sh
# own_section.sh COMPILER ARGUMENTS…: compiles, then moves the object's code into the section hy_code.
#
# The linker gathers that section and marks where it begins and ends, so that a stack trace can tell the
# library's frames from its caller's (stack_trace.c). The header's inline functions carry the section as
# an attribute (HY_INLINE). What is no ELF object (link-time optimisation, a dry run) is left alone.
set -eu
"$@"

object=
before=
for argument in "$@"; do
    [ "$before" = -o ] && object=$argument
    before=$argument
done
case $(head -c 4 "$object" 2>/dev/null | tr -d '\177\000') in
ELF) ;;
*) exit 0 ;;
esac
exec objcopy --rename-section .text=hy_code --rename-section .text.unlikely=hy_code --rename-section .text.hot=hy_code "$object"
