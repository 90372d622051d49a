/*
 * Copyright (C) the IMS portal authors
 *
 * Mappings of this process, by name.  No timers.
 */


#include "ngx_ims_shared.h"

#include <sys/file.h>
#include <sys/mman.h>

#include <openssl/sha.h>


#define NGX_IMS_SHARED_MEMFD  "ims-portal."


enum {
    NGX_IMS_SHARED_MAX = 64              /* names in the life of a process */
};


typedef struct {
    u_char                    name[NGX_MAX_PATH];
    ngx_fd_t                  fd;
    u_char                   *addr;
    size_t                    size;
} ngx_ims_shared_map_t;


static void ngx_ims_shared_self(ngx_ims_shared_t *shared);
static ngx_int_t ngx_ims_shared_file(ngx_str_t *name, ngx_str_t *path,
    size_t size, ngx_ims_shared_t *shared, ngx_log_t *log);
static ngx_int_t ngx_ims_shared_test(ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log);
static ngx_int_t ngx_ims_shared_directory(ngx_str_t *path, ngx_log_t *log);
static ngx_int_t ngx_ims_shared_memfd(ngx_str_t *name, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log);
static ngx_fd_t ngx_ims_shared_inherited(ngx_str_t *name);
static ngx_int_t ngx_ims_shared_room(ngx_fd_t fd, ngx_str_t *path,
    size_t size, ngx_log_t *log);
static ngx_int_t ngx_ims_shared_map(ngx_str_t *name, ngx_fd_t fd,
    ngx_ims_shared_t *shared, ngx_log_t *log);
static ngx_ims_shared_map_t *ngx_ims_shared_find(ngx_str_t *name);


static ngx_ims_shared_map_t  *ngx_ims_shared_maps[NGX_IMS_SHARED_MAX];


ngx_int_t
ngx_ims_shared_open(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    ngx_ims_shared_map_t  *map;

    ngx_memzero(shared, sizeof(ngx_ims_shared_t));

    if (ngx_test_config) {
        return ngx_ims_shared_test(path, size, shared, log);
    }

    ngx_ims_shared_self(shared);

    map = ngx_ims_shared_find(name);

    if (map != NULL) {
        shared->addr = map->addr;
        shared->size = map->size;
        return NGX_OK;
    }

    return path->len ? ngx_ims_shared_file(name, path, size, shared, log)
                     : ngx_ims_shared_memfd(name, size, shared, log);
}


/* the same before and behind a restart, and another one's is another */

static void
ngx_ims_shared_self(ngx_ims_shared_t *shared)
{
    char     host[NGX_MAXHOSTNAMELEN];
    u_char   digest[SHA256_DIGEST_LENGTH], text[3 * NGX_MAX_PATH], *end;

    ngx_memzero(host, sizeof(host));
    (void) gethostname(host, sizeof(host) - 1);

    end = ngx_snprintf(text, sizeof(text), "%s%Z%V%Z%V", host,
                       &ngx_cycle->prefix, &ngx_cycle->conf_file);

    SHA256(text, end - text, digest);

    ngx_memcpy(shared->self, digest, sizeof(shared->self));
    shared->inherits = (ngx_inherited != 0);
}


static ngx_int_t
ngx_ims_shared_file(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = open((char *) path->data, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "open() of \"store\" \"%V\" failed", path);
        return NGX_ERROR;
    }

    shared->fresh = (flock(fd, LOCK_EX|LOCK_NB) == 0);

    /* who is making it, if anybody is, will be ready soon */

    if (!shared->fresh && flock(fd, LOCK_SH) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "flock() of \"store\" \"%V\" failed", path);
        goto failed;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"store\" \"%V\" is not a regular file", path);
        goto failed;
    }

    shared->created = (ngx_file_size(&fi) == 0);
    shared->size = shared->created ? size : (size_t) ngx_file_size(&fi);

    if (shared->created
        && ngx_ims_shared_room(fd, path, size, log) != NGX_OK)
    {
        goto failed;
    }

    if (ngx_ims_shared_map(name, fd, shared, log) == NGX_OK) {
        return NGX_OK;
    }

failed:

    (void) ngx_close_file(fd);

    return NGX_ERROR;
}


/* nothing of a running portal may change: the file is only read */

static ngx_int_t
ngx_ims_shared_test(ngx_str_t *path, size_t size, ngx_ims_shared_t *shared,
    ngx_log_t *log)
{
    int              prot;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    prot = PROT_READ|PROT_WRITE;
    shared->fresh = 1;
    shared->test = 1;
    shared->size = size;
    fd = NGX_INVALID_FILE;

    if (path->len) {
        fd = open((char *) path->data, O_RDWR|O_CLOEXEC|O_NOFOLLOW);

        if (fd == NGX_INVALID_FILE && ngx_errno == NGX_ENOENT) {

            if (ngx_ims_shared_directory(path, log) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (fd == NGX_INVALID_FILE
                   || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR
                   || !ngx_is_file(&fi))
        {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "open() of \"store\" \"%V\" failed, or it is not "
                          "a regular file", path);

            if (fd != NGX_INVALID_FILE) {
                (void) ngx_close_file(fd);
            }

            return NGX_ERROR;
        }
    }

    if (fd != NGX_INVALID_FILE && ngx_file_size(&fi) != 0) {
        shared->size = (size_t) ngx_file_size(&fi);
        shared->addr = mmap(NULL, shared->size, prot, MAP_PRIVATE, fd, 0);

    } else {
        shared->created = 1;
        shared->addr = mmap(NULL, size, prot, MAP_PRIVATE|MAP_ANON, -1, 0);
    }

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    if (shared->addr == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "mmap(%uz) of a zone failed", shared->size);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_shared_directory(ngx_str_t *path, ngx_log_t *log)
{
    u_char  *p, dir[NGX_MAX_PATH];

    p = path->data + path->len;

    while (p > path->data && *p != '/') {
        p--;
    }

    /* the path is a full one: the directory may be the root */

    (void) ngx_snprintf(dir, NGX_MAX_PATH, "%*s/%Z",
                        (size_t) (p - path->data), path->data);

    if (access((char *) dir, W_OK|X_OK) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "\"store\" \"%V\" cannot be created in \"%s\"", path,
                      dir);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ims_shared_memfd(ngx_str_t *name, size_t size, ngx_ims_shared_t *shared,
    ngx_log_t *log)
{
    u_char           text[NGX_MAX_PATH];
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = ngx_ims_shared_inherited(name);

    if (fd != NGX_INVALID_FILE) {

        if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "fstat() of inherited zone \"%V\" failed", name);
            return NGX_ERROR;
        }

        shared->size = (size_t) ngx_file_size(&fi);

        return ngx_ims_shared_map(name, fd, shared, log);
    }

    shared->fresh = 1;
    shared->created = 1;
    shared->size = size;

    (void) ngx_snprintf(text, NGX_MAX_PATH, NGX_IMS_SHARED_MEMFD "%V%Z",
                        name);

    /* without MFD_CLOEXEC: the master of a binary upgrade inherits it */

    fd = memfd_create((char *) text, 0);

    if (fd == NGX_INVALID_FILE || ftruncate(fd, (off_t) size) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "no memory for zone \"%V\"", name);
        return NGX_ERROR;
    }

    return ngx_ims_shared_map(name, fd, shared, log);
}


/* the descriptor that our master's predecessor left open, by its name */

static ngx_fd_t
ngx_ims_shared_inherited(ngx_str_t *name)
{
    DIR            *dir;
    char            path[64], link[NGX_MAX_PATH];
    u_char          want[NGX_MAX_PATH], *end;
    ssize_t         n;
    ngx_fd_t        fd;
    struct dirent  *de;

    /* the number of links of a memfd is none, and the kernel says so */

    end = ngx_snprintf(want, NGX_MAX_PATH,
                       "/memfd:" NGX_IMS_SHARED_MEMFD "%V (deleted)", name);

    dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return NGX_INVALID_FILE;
    }

    fd = NGX_INVALID_FILE;

    while (fd == NGX_INVALID_FILE && (de = readdir(dir)) != NULL) {

        (void) ngx_snprintf((u_char *) path, sizeof(path),
                            "/proc/self/fd/%s%Z", de->d_name);

        n = readlink(path, link, sizeof(link));

        if (n == end - want && ngx_memcmp(link, want, n) == 0) {
            fd = ngx_atoi((u_char *) de->d_name, ngx_strlen(de->d_name));
        }
    }

    (void) closedir(dir);

    return fd;
}


/* room on the disk now, so that no later store into the file can fail */

static ngx_int_t
ngx_ims_shared_room(ngx_fd_t fd, ngx_str_t *path, size_t size, ngx_log_t *log)
{
    ngx_err_t  err;

    err = posix_fallocate(fd, 0, (off_t) size);

    if (err == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, err,
                  "no room for %uz bytes of \"store\" \"%V\"", size, path);

    if (ftruncate(fd, 0) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "ftruncate() of \"store\" \"%V\" failed", path);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_ims_shared_map(ngx_str_t *name, ngx_fd_t fd, ngx_ims_shared_t *shared,
    ngx_log_t *log)
{
    ngx_uint_t             i;
    ngx_ims_shared_map_t  *map;

    for (i = 0; i < NGX_IMS_SHARED_MAX; i++) {
        if (ngx_ims_shared_maps[i] == NULL) {
            break;
        }
    }

    map = i < NGX_IMS_SHARED_MAX
          ? ngx_calloc(sizeof(ngx_ims_shared_map_t), log) : NULL;

    if (map == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "too many zones since the start");
        return NGX_ERROR;
    }

    shared->addr = mmap(NULL, shared->size, PROT_READ|PROT_WRITE, MAP_SHARED,
                        fd, 0);

    if (shared->addr == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "mmap(%uz) of zone \"%V\" failed", shared->size, name);
        ngx_free(map);
        return NGX_ERROR;
    }

    (void) ngx_snprintf(map->name, NGX_MAX_PATH, "%V%Z", name);
    map->fd = fd;
    map->addr = shared->addr;
    map->size = shared->size;

    ngx_ims_shared_maps[i] = map;
    shared->opened = 1;

    return NGX_OK;
}


static ngx_ims_shared_map_t *
ngx_ims_shared_find(ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_ims_shared_map_t  *map;

    for (i = 0; i < NGX_IMS_SHARED_MAX; i++) {
        map = ngx_ims_shared_maps[i];

        if (map != NULL && ngx_strlen(map->name) == name->len
            && ngx_memcmp(map->name, name->data, name->len) == 0)
        {
            return map;
        }
    }

    return NULL;
}


ngx_int_t
ngx_ims_shared_replace(ngx_str_t *name, ngx_str_t *path, size_t size,
    ngx_ims_shared_t *shared, ngx_log_t *log)
{
    u_char    text[NGX_MAX_PATH];
    ngx_fd_t  fd;

    ngx_memzero(shared, sizeof(ngx_ims_shared_t));

    shared->fresh = 1;
    shared->created = 1;
    shared->size = size;
    fd = NGX_INVALID_FILE;

    if (!ngx_test_config) {
        (void) ngx_snprintf(text, NGX_MAX_PATH, "%V.new%Z", path);

        fd = open((char *) text, O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW,
                  0600);

        if (fd == NGX_INVALID_FILE || flock(fd, LOCK_EX|LOCK_NB) == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "open() of \"%s\" failed", text);
            goto failed;
        }

        if (ngx_ims_shared_room(fd, path, size, log) != NGX_OK) {
            (void) ngx_delete_file(text);
            goto failed;
        }
    }

    shared->addr = mmap(NULL, size, PROT_READ|PROT_WRITE,
                        fd == NGX_INVALID_FILE ? MAP_PRIVATE|MAP_ANON
                                               : MAP_SHARED, fd, 0);

    if (shared->addr == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "mmap(%uz) of zone \"%V\" failed", size, name);
        goto failed;
    }

    shared->fd = fd;

    return NGX_OK;

failed:

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_ims_shared_replaced(ngx_str_t *name, ngx_str_t *path,
    ngx_ims_shared_t *former, ngx_ims_shared_t *shared, ngx_log_t *log)
{
    u_char                 text[NGX_MAX_PATH];
    ngx_ims_shared_map_t  *map;

    if (!ngx_test_config) {
        (void) ngx_snprintf(text, NGX_MAX_PATH, "%V.new%Z", path);

        if (ngx_rename_file(text, path->data) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "rename() of \"%s\" failed", text);
            return NGX_ERROR;
        }

        map = ngx_ims_shared_find(name);

        (void) ngx_close_file(map->fd);

        map->fd = shared->fd;
        map->addr = shared->addr;
        map->size = shared->size;
    }

    (void) munmap(former->addr, former->size);

    return NGX_OK;
}


void
ngx_ims_shared_drop(ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_ims_shared_map_t  *map;

    map = ngx_ims_shared_find(name);

    for (i = 0; map != NULL && i < NGX_IMS_SHARED_MAX; i++) {

        if (ngx_ims_shared_maps[i] == map) {
            ngx_ims_shared_maps[i] = NULL;

            (void) munmap(map->addr, map->size);
            (void) ngx_close_file(map->fd);

            ngx_free(map);
            map = NULL;
        }
    }
}


void
ngx_ims_shared_ready(ngx_str_t *name)
{
    ngx_ims_shared_map_t  *map;

    map = ngx_ims_shared_find(name);

    if (map != NULL) {
        (void) flock(map->fd, LOCK_SH);
    }
}
