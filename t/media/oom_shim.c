/*
 * Copyright (C) the IMS portal authors
 *
 * Preloaded into the helper: lets one allocation fail, the test says which.
 * They meet in a mapped file (OOM_FILE), so that nothing has to be opened or
 * called inside the sandbox.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


struct page {
    int64_t  countdown;         /* fail when it comes down to 0; 0 = never */
    int64_t  count;             /* allocations so far */
    int64_t  live;              /* less those freed */
    int64_t  failed;
};


extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);


static struct page           none;
static volatile struct page *page = &none;


static void __attribute__((constructor))
start(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("OOM_FILE");
    fd = (name != NULL) ? open(name, O_RDWR|O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(struct page), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
             0);
    close(fd);

    if (p != MAP_FAILED) {
        page = p;
    }
}


static int
fails(void)
{
    page->count++;

    if (page->countdown == 0 || --page->countdown != 0) {
        return 0;
    }

    page->failed++;
    errno = ENOMEM;

    return 1;
}


static void *
given(void *p)
{
    page->live += (p != NULL);

    return p;
}


void *
malloc(size_t size)
{
    return fails() ? NULL : given(__libc_malloc(size));
}


void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : given(__libc_calloc(n, size));
}


void *
realloc(void *old, size_t size)
{
    if (fails()) {
        return NULL;
    }

    return old ? __libc_realloc(old, size) : given(__libc_realloc(old, size));
}


void *
memalign(size_t align, size_t size)
{
    return fails() ? NULL : given(__libc_memalign(align, size));
}


void *
aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}


int
posix_memalign(void **p, size_t align, size_t size)
{
    *p = memalign(align, size);

    return *p ? 0 : ENOMEM;
}


void
free(void *p)
{
    page->live -= (p != NULL);
    __libc_free(p);
}
