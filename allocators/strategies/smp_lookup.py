"""Prints smp_lookup.c: the classes of smp as tables. usage: smp_lookup.py >smp_lookup.c"""

SMALL_MAX, ALIGN_LOG2_MAX = 32768, 12


def class_of(size, align_log2):
    """As hy_smp_class; 0 where no class has the alignment."""
    if align_log2 > ALIGN_LOG2_MAX:
        return 0
    rounded = -(-size >> align_log2) << align_log2
    if rounded <= 1024:
        mask = 15 if rounded > 128 else 7
        return (rounded + mask & ~mask) >> 3
    doubling = (rounded - 1).bit_length() - 1
    return 129 + (doubling - 10) * 8 + ((rounded - 1) >> (doubling - 3)) - 8


def row(numbers, indent):
    """The numbers as lines of C."""
    lines, line = [], indent
    for number in numbers:
        item = f"{number},"
        if len(line) + len(item) > 108:
            lines.append(line.rstrip())
            line = indent
        line += item + " "
    return lines + [line.rstrip()]


def main():
    print("/* smp_lookup.c: the class of each size and alignment, for those that the compiler does not know.\n"
          " *\n"
          " * Printed by smp_lookup.py, which see; smp_test.c compares all of it with hy_smp_class.\n"
          " */\n"
          "#include <heapyard/smp_lookup.h>\n\n"
          "/* clang-format off */\n"
          "const uint8_t hy_smp_class_lookup[64][128] = {")
    for align_log2 in range(ALIGN_LOG2_MAX + 1):
        print("    {")
        print(*row([class_of(8 * eighth + 8, align_log2) for eighth in range(128)], "        "), sep="\n")
        print("    },")
    print("};\n\nconst uint8_t hy_smp_class_lookup_above[256] = {")
    print(*row([class_of(128 * step + 128, 0) for step in range(256)], "    "), sep="\n")
    print("};")


main()
