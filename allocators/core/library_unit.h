/* library_unit.h: marks a file as the library's in its debugging information, where stack traces look for it
 * (source_lines.c). The build includes it into every file of the library and no other; the linker drops the
 * constant, since nobody refers to it.
 */
#ifndef HEAPYARD_CORE_LIBRARY_UNIT_H
#define HEAPYARD_CORE_LIBRARY_UNIT_H

static const char hy_library_unit __attribute__((used)) = 0;

#endif
