/* Stands before the C library's getaddrinfo in a child process of the tests: see Names in sources.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVENTED ".test" /* RFC 6761: no real name ends so */

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_invented(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return length >= strlen(INVENTED) && !strcmp(name + length - strlen(INVENTED), INVENTED);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    look_up *real = (look_up *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!is_invented(name))
        return real(name, service, hints, found);

    struct addrinfo numeric = {0};
    if (hints)
        numeric = *hints;
    numeric.ai_flags = AI_NUMERICHOST;
    char address[64], line_name[256];
    struct addrinfo **end = found;
    *found = NULL;
    FILE *file = fopen(getenv("TEST_NAMES"), "r");
    if (!file)
        return EAI_SYSTEM;
    /* An address of a family that is not asked for is not found, and so passed over. */
    while (fscanf(file, "%63s %255s", address, line_name) == 2)
        if (!strcmp(line_name, name) && !real(address, service, &numeric, end))
            while (*end)
                end = &(*end)->ai_next;
    fclose(file);
    return *found ? 0 : EAI_NONAME;
}
