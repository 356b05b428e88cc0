/*
 * What gcc's unwinder (libgcc_eh.a of gcc 12) wants from the C library and musl does not have: _dl_find_object(), written over
 * dl_iterate_phdr(). Only static.sh uses this file, and only where the compiler comes from Debian.
 */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <string.h>

/* As glibc 2.35 lays it out in <dlfcn.h>. */
struct dl_find_object {
	unsigned long long flags;
	void *start, *end, *link_map, *eh_frame;
	unsigned long long reserved[7];
};

struct search {
	unsigned long pc;
	struct dl_find_object *result;
};

static int
look(struct dl_phdr_info *info, size_t size, void *cookie)
{
	struct search *s = cookie;
	void *eh_frame = NULL;
	int hit = 0;

	(void)size;
	for (int k = 0; k < info->dlpi_phnum; k++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[k];
		unsigned long at = info->dlpi_addr + h->p_vaddr;

		if (h->p_type == PT_LOAD && s->pc >= at && s->pc < at + h->p_memsz) {
			hit = 1;
			s->result->start = (void *)at;
			s->result->end = (void *)(at + h->p_memsz);
		}
		if (h->p_type == PT_GNU_EH_FRAME)
			eh_frame = (void *)at;
	}
	if (!hit || eh_frame == NULL)
		return 0;
	s->result->eh_frame = eh_frame;
	return 1;
}

int
_dl_find_object(void *pc, struct dl_find_object *result)
{
	struct search s = { (unsigned long)pc, result };

	memset(result, 0, sizeof *result);
	return dl_iterate_phdr(look, &s) ? 0 : -1;
}

/* libgcc_eh names these only weakly. Unless something pulls them out of libc.a they are null at run time, and the first panic jumps there. */
void *const keep_for_unwinder[] __attribute__((used)) = {
	pthread_once, pthread_mutex_lock, pthread_mutex_unlock, pthread_key_create, pthread_getspecific, pthread_setspecific,
};
