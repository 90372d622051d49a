/*
 * Copyright (C) the IMS portal authors
 *
 * Stands in for nginx's header of this name in the unit tests: all that is
 * needed is in ngx_core.h beside it.
 */


#include "ngx_core.h"
