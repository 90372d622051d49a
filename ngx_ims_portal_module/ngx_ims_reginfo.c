/*
 * Copyright (C) the IMS portal authors
 *
 * reginfo > registration > contact > uri, read in one pass: a contact's
 * attributes wait until its URI is known.
 *
 * No timers.
 */


#include "ngx_ims_reginfo.h"

#include <expat.h>


#define NGX_IMS_REGINFO_NS  "urn:ietf:params:xml:ns:reginfo "


typedef struct {
    XML_Parser               parser;
    ngx_ims_reginfo_t       *info;
    const ngx_ims_str_t     *aor;
    const ngx_ims_str_t     *user;
    unsigned                 depth;
    unsigned                 root:1;          /* reginfo was seen */
    unsigned                 ours:1;          /* within our registration */
    unsigned                 in_contact:1;
    unsigned                 in_uri:1;
    unsigned                 long_uri:1;
    unsigned                 bad:1;
    ngx_ims_reginfo_t        contact;         /* gone, event, retry_after */
    size_t                   uri_len;
    unsigned char            uri[NGX_IMS_REGINFO_URI];
} ngx_ims_reginfo_ctx_t;


typedef struct {
    const char              *name;
    ngx_ims_reginfo_event_e  event;
} ngx_ims_reginfo_name_t;


static void ngx_ims_reginfo_start(void *data, const XML_Char *name,
    const XML_Char **attrs);
static void ngx_ims_reginfo_end(void *data, const XML_Char *name);
static void ngx_ims_reginfo_text(void *data, const XML_Char *s, int len);
static void ngx_ims_reginfo_doctype(void *data, const XML_Char *name,
    const XML_Char *sysid, const XML_Char *pubid, int internal);
static void ngx_ims_reginfo_root(ngx_ims_reginfo_ctx_t *ctx,
    const XML_Char **attrs);
static void ngx_ims_reginfo_registration(ngx_ims_reginfo_ctx_t *ctx,
    const XML_Char **attrs);
static void ngx_ims_reginfo_contact(ngx_ims_reginfo_ctx_t *ctx,
    const XML_Char **attrs);
static const char *ngx_ims_reginfo_attr(const XML_Char **attrs,
    const char *name);
static int ngx_ims_reginfo_number(const char *s, uint32_t *n);
static void ngx_ims_reginfo_fail(ngx_ims_reginfo_ctx_t *ctx);


static const ngx_ims_reginfo_name_t  ngx_ims_reginfo_events[] = {
    { "deactivated", NGX_IMS_REGINFO_DEACTIVATED },
    { "probation", NGX_IMS_REGINFO_PROBATION },
    { "expired", NGX_IMS_REGINFO_EXPIRED },
    { "unregistered", NGX_IMS_REGINFO_UNREGISTERED },
    { "rejected", NGX_IMS_REGINFO_REJECTED },
    { NULL, NGX_IMS_REGINFO_OTHER }
};


int
ngx_ims_reginfo_parse(const unsigned char *p, size_t len,
    const ngx_ims_str_t *aor, const ngx_ims_str_t *user,
    ngx_ims_reginfo_t *info)
{
    int                    rc;
    ngx_ims_reginfo_ctx_t  ctx;

    memset(info, 0, sizeof(ngx_ims_reginfo_t));

    if (len > NGX_IMS_REGINFO_MAX) {
        return NGX_IMS_INVALID;
    }

    memset(&ctx, 0, offsetof(ngx_ims_reginfo_ctx_t, uri));

    ctx.info = info;
    ctx.aor = aor;
    ctx.user = user;

    ctx.parser = XML_ParserCreateNS(NULL, ' ');
    if (ctx.parser == NULL) {
        return NGX_IMS_INVALID;
    }

    XML_SetUserData(ctx.parser, &ctx);
    XML_SetElementHandler(ctx.parser, ngx_ims_reginfo_start,
                          ngx_ims_reginfo_end);
    XML_SetCharacterDataHandler(ctx.parser, ngx_ims_reginfo_text);
    XML_SetStartDoctypeDeclHandler(ctx.parser, ngx_ims_reginfo_doctype);

    rc = XML_Parse(ctx.parser, (const char *) p, (int) len, 1);

    XML_ParserFree(ctx.parser);

    return rc == XML_STATUS_OK && ctx.root && !ctx.bad ? NGX_IMS_OK
                                                       : NGX_IMS_INVALID;
}


static void
ngx_ims_reginfo_fail(ngx_ims_reginfo_ctx_t *ctx)
{
    ctx->bad = 1;
    (void) XML_StopParser(ctx->parser, XML_FALSE);
}


static void
ngx_ims_reginfo_doctype(void *data, const XML_Char *name,
    const XML_Char *sysid, const XML_Char *pubid, int internal)
{
    (void) name;
    (void) sysid;
    (void) pubid;
    (void) internal;

    ngx_ims_reginfo_fail(data);
}


static void
ngx_ims_reginfo_start(void *data, const XML_Char *name,
    const XML_Char **attrs)
{
    size_t                  n;
    ngx_ims_reginfo_ctx_t  *ctx;

    ctx = data;

    if (++ctx->depth > NGX_IMS_REGINFO_DEPTH) {
        ngx_ims_reginfo_fail(ctx);
        return;
    }

    n = sizeof(NGX_IMS_REGINFO_NS) - 1;

    if (strncmp(name, NGX_IMS_REGINFO_NS, n) != 0) {

        if (ctx->depth == 1) {
            ngx_ims_reginfo_fail(ctx);
        }

        return;
    }

    name += n;

    if (ctx->depth == 1) {

        if (strcmp(name, "reginfo") != 0) {
            ngx_ims_reginfo_fail(ctx);
            return;
        }

        ngx_ims_reginfo_root(ctx, attrs);

    } else if (ctx->depth == 2 && strcmp(name, "registration") == 0) {
        ngx_ims_reginfo_registration(ctx, attrs);

    } else if (ctx->depth == 3 && ctx->ours && strcmp(name, "contact") == 0) {
        ngx_ims_reginfo_contact(ctx, attrs);

    } else if (ctx->depth == 4 && ctx->in_contact && strcmp(name, "uri") == 0)
    {
        ctx->in_uri = 1;
        ctx->uri_len = 0;
        ctx->long_uri = 0;
    }
}


static void
ngx_ims_reginfo_root(ngx_ims_reginfo_ctx_t *ctx, const XML_Char **attrs)
{
    const char  *state, *version;

    state = ngx_ims_reginfo_attr(attrs, "state");
    version = ngx_ims_reginfo_attr(attrs, "version");

    if (state == NULL || version == NULL
        || !ngx_ims_reginfo_number(version, &ctx->info->version)
        || (strcmp(state, "full") != 0 && strcmp(state, "partial") != 0))
    {
        ngx_ims_reginfo_fail(ctx);
        return;
    }

    ctx->info->full = (state[0] == 'f');
    ctx->root = 1;
}


static void
ngx_ims_reginfo_registration(ngx_ims_reginfo_ctx_t *ctx,
    const XML_Char **attrs)
{
    const char     *aor, *state;
    ngx_ims_str_t   s;

    aor = ngx_ims_reginfo_attr(attrs, "aor");
    state = ngx_ims_reginfo_attr(attrs, "state");

    if (aor == NULL || state == NULL) {
        ngx_ims_reginfo_fail(ctx);
        return;
    }

    s.data = (unsigned char *) aor;
    s.len = strlen(aor);

    if (!ngx_ims_sip_uri_equal(&s, ctx->aor)) {
        return;
    }

    ctx->ours = 1;
    ctx->info->known = 1;
    ctx->info->terminated = (strcmp(state, "terminated") == 0);
}


static void
ngx_ims_reginfo_contact(ngx_ims_reginfo_ctx_t *ctx, const XML_Char **attrs)
{
    const char                    *s;
    const ngx_ims_reginfo_name_t  *e;

    memset(&ctx->contact, 0, sizeof(ngx_ims_reginfo_t));

    ctx->in_contact = 1;

    s = ngx_ims_reginfo_attr(attrs, "state");
    ctx->contact.gone = (s != NULL && strcmp(s, "terminated") == 0);

    s = ngx_ims_reginfo_attr(attrs, "event");

    for (e = ngx_ims_reginfo_events; s != NULL && e->name != NULL; e++) {
        if (strcmp(s, e->name) == 0) {
            ctx->contact.event = e->event;
        }
    }

    s = ngx_ims_reginfo_attr(attrs, "retry-after");

    if (s != NULL && !ngx_ims_reginfo_number(s, &ctx->contact.retry_after)) {
        ngx_ims_reginfo_fail(ctx);
    }
}


static const char *
ngx_ims_reginfo_attr(const XML_Char **attrs, const char *name)
{
    for ( /* void */ ; attrs[0] != NULL; attrs += 2) {
        if (strcmp(attrs[0], name) == 0) {
            return attrs[1];
        }
    }

    return NULL;
}


static int
ngx_ims_reginfo_number(const char *s, uint32_t *n)
{
    uint64_t       value;
    ngx_ims_str_t  text;

    text.data = (unsigned char *) s;
    text.len = strlen(s);

    if (ngx_ims_sip_number(&text, 0xffffffff, &value) != 0) {
        return 0;
    }

    *n = (uint32_t) value;

    return 1;
}


static void
ngx_ims_reginfo_text(void *data, const XML_Char *s, int len)
{
    ngx_ims_reginfo_ctx_t  *ctx;

    ctx = data;

    if (!ctx->in_uri) {
        return;
    }

    if ((size_t) len > NGX_IMS_REGINFO_URI - ctx->uri_len) {
        ctx->long_uri = 1;
        return;
    }

    memcpy(ctx->uri + ctx->uri_len, s, len);
    ctx->uri_len += len;
}


static void
ngx_ims_reginfo_end(void *data, const XML_Char *name)
{
    size_t                  start;
    ngx_ims_str_t           s;
    ngx_ims_sip_uri_t       uri;
    ngx_ims_reginfo_ctx_t  *ctx;

    (void) name;

    ctx = data;

    switch (ctx->depth--) {

    case 2:
        ctx->ours = 0;
        break;

    case 3:
        ctx->in_contact = 0;
        break;

    case 4:

        if (!ctx->in_uri) {
            break;
        }

        ctx->in_uri = 0;

        for (start = 0; start < ctx->uri_len && ctx->uri[start] <= ' ';
             start++)
        {
            /* void */
        }

        while (ctx->uri_len > start && ctx->uri[ctx->uri_len - 1] <= ' ') {
            ctx->uri_len--;
        }

        s.data = ctx->uri + start;
        s.len = ctx->uri_len - start;

        if (!ctx->long_uri
            && ngx_ims_sip_parse_uri(&s, &uri) == NGX_IMS_OK
            && uri.user.len == ctx->user->len
            && memcmp(uri.user.data, ctx->user->data, uri.user.len) == 0)
        {
            ctx->info->contact = 1;
            ctx->info->gone = ctx->contact.gone;
            ctx->info->event = ctx->contact.event;
            ctx->info->retry_after = ctx->contact.retry_after;
        }

        break;
    }
}
