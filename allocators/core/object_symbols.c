/* object_symbols.c: looks a function up in an object's symbol table.
 *
 * Every offset in the file is checked against its size before it is followed: the file on disk may not be
 * the one that was loaded. Cost: a pass over the symbols; for reports only.
 */
#include "allocators/core/object_symbols.h"
#include <stdio.h>

#if defined(__linux__)
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hy_object_path(const char *name, uintptr_t base) {
    Dl_info program;
    bool is_program = dladdr((void *)getauxval(AT_PHDR), &program) && (uintptr_t)program.dli_fbase == base;
    return is_program ? "/proc/self/exe" : name;
}

typedef struct image {
    const char *bytes;
    size_t size;
} image;

/* `count` elements of `size` bytes at `offset` of the file, or NULL where they are not all in it. */
static const void *part(const image *file, size_t offset, size_t count, size_t size) {
    size_t bytes;
    if (HY_MUL_OVERFLOWS(count, size, &bytes) || offset > file->size || bytes > file->size - offset)
        return NULL;
    return offset % 8 == 0 || size == 1 ? file->bytes + offset : NULL;
}

static const ElfW(Ehdr) * header_of(const image *file) {
    const ElfW(Ehdr) *header = part(file, 0, 1, sizeof *header);
    bool is_elf =
        header && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_shentsize == sizeof(ElfW(Shdr));
    return is_elf ? header : NULL;
}

static const ElfW(Sym) * find_function(const ElfW(Sym) * symbols, size_t count, uintptr_t value) {
    for (size_t i = 0; i < count; i++) {
        if ((symbols[i].st_info & 0xF) == STT_FUNC && value - symbols[i].st_value < symbols[i].st_size)
            return &symbols[i];
    }
    return NULL;
}

/* value: the address as the file counts it. */
static bool look_up(const image *file, const ElfW(Ehdr) * header, uintptr_t value, char *name,
    size_t capacity, uintptr_t *start) {
    const ElfW(Shdr) *sections = part(file, header->e_shoff, header->e_shnum, sizeof *sections);
    for (size_t i = 0; sections && i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) continue;
        const ElfW(Shdr) *strings = &sections[sections[i].sh_link];
        size_t count = sections[i].sh_size / sizeof(ElfW(Sym));
        const ElfW(Sym) *symbols = part(file, sections[i].sh_offset, count, sizeof *symbols);
        const char *names = part(file, strings->sh_offset, strings->sh_size, 1);
        const ElfW(Sym) *found = symbols && names ? find_function(symbols, count, value) : NULL;
        if (!found || found->st_name >= strings->sh_size) continue;
        snprintf(name, capacity, "%.*s",
            (int)strnlen(names + found->st_name, strings->sh_size - found->st_name), names + found->st_name);
        *start = found->st_value;
        return true;
    }
    return false;
}

static bool map_file(const char *path, image *out) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    struct stat status;
    void *bytes = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size > 0)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (bytes == MAP_FAILED) return false;
    *out = (image){bytes, (size_t)status.st_size};
    return true;
}

bool hy_object_symbol(
    const char *path, uintptr_t base, uintptr_t address, char *name, size_t capacity, uintptr_t *start) {
    image file;
    if (!map_file(path, &file)) return false;
    const ElfW(Ehdr) *header = header_of(&file);
    uintptr_t shift = header && header->e_type == ET_DYN ? base : 0;
    bool found = header && look_up(&file, header, address - shift, name, capacity, start);
    if (found) *start += shift;
    munmap((void *)(uintptr_t)file.bytes, file.size);
    return found;
}

#else

const char *hy_object_path(const char *name, uintptr_t base) {
    (void)base;
    return name;
}

bool hy_object_symbol(
    const char *path, uintptr_t base, uintptr_t address, char *name, size_t capacity, uintptr_t *start) {
    (void)path, (void)base, (void)address, (void)name, (void)capacity, (void)start;
    return false;
}

#endif
