/* object_symbols.c: finds the object that an address lies in, and looks functions up in its symbol table.
 *
 * The dynamic linker is asked through the call that exception handling uses, which takes no lock (glibc 2.35
 * and later): a report must not wait for a thread that is in dlopen and waits for the allocator that reports.
 * Elsewhere dladdr has to do.
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

/* The program is named by its file; the linker gives it no name, or its first argument. */
static void name_program(hy_object *object) {
    object->path = "/proc/self/exe";
    ssize_t length = readlink(object->path, object->program, sizeof object->program - 1);
    object->program[length > 0 ? length : 0] = '\0';
    object->name = object->program;
}

#if defined(DLFO_STRUCT_HAS_EH_DBASE)
bool hy_object_of(uintptr_t address, hy_object *object) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found) != 0) return false;
    object->base = found.dlfo_link_map->l_addr;
    object->name = object->path = found.dlfo_link_map->l_name;
    if (object->name[0] == '\0') name_program(object);
    return true;
}
#else
bool hy_object_of(uintptr_t address, hy_object *object) {
    Dl_info info, program;
    if (!dladdr((void *)address, &info) || !info.dli_fname) return false;
    object->base = (uintptr_t)info.dli_fbase;
    object->name = object->path = info.dli_fname;
    bool is_program = dladdr((void *)getauxval(AT_PHDR), &program) && program.dli_fbase == info.dli_fbase;
    if (is_program) name_program(object);
    return true;
}
#endif

typedef struct image {
    const char *bytes;
    size_t size;
} image;

/* `bytes` bytes at `offset` of the file, which is a multiple of `align`, or NULL where they are not all in
 * it. */
static const void *part(const image *file, size_t offset, size_t bytes, size_t align) {
    if (offset > file->size || bytes > file->size - offset || offset % align != 0) return NULL;
    return file->bytes + offset;
}

static const ElfW(Ehdr) * header_of(const image *file) {
    const ElfW(Ehdr) *header = part(file, 0, sizeof *header, 8);
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
static bool look_up(
    const image *file, const ElfW(Ehdr) * header, uint32_t table, uintptr_t value, hy_symbol *symbol) {
    const ElfW(Shdr) *sections = part(file, header->e_shoff, header->e_shnum * sizeof *sections, 8);
    for (size_t i = 0; sections && i < header->e_shnum; i++) {
        if (sections[i].sh_type != table || sections[i].sh_link >= header->e_shnum) continue;
        const ElfW(Shdr) *strings = &sections[sections[i].sh_link];
        size_t count = sections[i].sh_size / sizeof(ElfW(Sym));
        const ElfW(Sym) *symbols = part(file, sections[i].sh_offset, count * sizeof *symbols, 8);
        const char *names = part(file, strings->sh_offset, strings->sh_size, 1);
        const ElfW(Sym) *found = symbols && names ? find_function(symbols, count, value) : NULL;
        if (!found || found->st_name >= strings->sh_size) continue;
        int length = (int)strnlen(names + found->st_name, strings->sh_size - found->st_name);
        snprintf(symbol->name, sizeof symbol->name, "%.*s", length, names + found->st_name);
        symbol->start = found->st_value;
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

bool hy_object_symbol(const hy_object *object, uintptr_t address, hy_symbol *symbol) {
    image file;
    if (!map_file(object->path, &file)) return false;
    const ElfW(Ehdr) *header = header_of(&file);
    uintptr_t shift = header && header->e_type == ET_DYN ? object->base : 0;
    bool found = header && (look_up(&file, header, SHT_SYMTAB, address - shift, symbol) ||
                               look_up(&file, header, SHT_DYNSYM, address - shift, symbol));
    if (found) symbol->start += shift;
    munmap((void *)(uintptr_t)file.bytes, file.size);
    return found;
}

#else

bool hy_object_of(uintptr_t address, hy_object *object) {
    (void)address, (void)object;
    return false;
}

bool hy_object_symbol(const hy_object *object, uintptr_t address, hy_symbol *symbol) {
    (void)object, (void)address, (void)symbol;
    return false;
}

#endif
