#define _GNU_SOURCE /* dladdr */
#include "linalg/library.h"

#include <cblas.h>
#include <dlfcn.h>
#include <lapacke.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A statically linked OpenBLAS is seen by the linker only. */
extern void openblas_set_num_threads(int) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

/* What a library exports for this; NULL for what it lacks. */
typedef struct controls {
    void (*openblas_set)(int);
    int (*openblas_get)(void);
    void (*blis_set)(long);
    long (*blis_get)(void);
    int (*mkl_set)(int); /* in the calling thread; answers what was there */
    void (*openmp_set)(int);
    int (*openmp_get)(void);
} controls;

/* BLAS and LAPACK may be two libraries, each with threads of its own. The handles say where to
 * look: the libraries themselves and what they need, for a process may have several OpenMP
 * runtimes. */
enum { BLAS, LAPACK, N_LIBRARIES };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *handles[N_LIBRARIES];
static controls found[N_LIBRARIES];

/* An OpenBLAS built without threads (Debian: libopenblas0-serial) shares its buffers between calls
 * without locks: wrong numbers where two threads call it at a time. So one does. */
static bool one_at_a_time;
static pthread_mutex_t turn_mutex = PTHREAD_MUTEX_INITIALIZER;

/* C has no cast from void * to a function. */
static bool find(void *handle, const char *name, void *function) {
    void *symbol = handle ? dlsym(handle, name) : NULL;
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static const char *file_of(void (*function)(void)) {
    Dl_info info;
    void *address;
    memcpy(&address, &function, sizeof address);
    return dladdr(address, &info) ? info.dli_fname : NULL;
}

static void *handle_of(void (*function)(void)) {
    const char *file = file_of(function);
    void *handle = file ? dlopen(file, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    return handle ? handle : dlopen(NULL, RTLD_LAZY); /* linked into the program */
}

static void find_controls(void) {
    handles[BLAS] = handle_of((void (*)(void))cblas_dgemm);
    handles[LAPACK] = handle_of((void (*)(void))LAPACKE_dpotrf_work);
    for (int l = 0; l < N_LIBRARIES; l++) {
        controls *c = &found[l];
        if (!find(handles[l], "openblas_set_num_threads", &c->openblas_set))
            c->openblas_set = openblas_set_num_threads;
        if (!find(handles[l], "openblas_get_num_threads", &c->openblas_get))
            c->openblas_get = openblas_get_num_threads;
        find(handles[l], "bli_thread_set_num_threads", &c->blis_set);
        find(handles[l], "bli_thread_get_num_threads", &c->blis_get);
        find(handles[l], "MKL_Set_Num_Threads_Local", &c->mkl_set);
        find(handles[l], "omp_set_num_threads", &c->openmp_set);
        find(handles[l], "omp_get_max_threads", &c->openmp_get);
        int (*get_parallel)(void);
        one_at_a_time |=
            find(handles[l], "openblas_get_parallel", &get_parallel) && !get_parallel();
    }
}

/* ----------------------------------------------------------------------- one call, one thread */

rk_blas_turn rk_blas_begin(void) {
    rk_blas_turn turn;
    pthread_once(&once, find_controls);
    if (one_at_a_time) pthread_mutex_lock(&turn_mutex);
    for (int l = 0; l < N_LIBRARIES; l++) {
        const controls *c = &found[l];
        bool openmp = c->openmp_get && c->openmp_set;
        turn.openmp[l] = openmp ? c->openmp_get() : 1;
        if (turn.openmp[l] != 1) c->openmp_set(1);
        turn.mkl[l] = c->mkl_set ? c->mkl_set(1) : 0;
    }
    return turn;
}

void rk_blas_end(rk_blas_turn turn) {
    for (int l = N_LIBRARIES - 1; l >= 0; l--) {
        if (turn.openmp[l] != 1) found[l].openmp_set(turn.openmp[l]);
        if (found[l].mkl_set) found[l].mkl_set(turn.mkl[l]);
    }
    if (one_at_a_time) pthread_mutex_unlock(&turn_mutex);
}

/* -------------------------------------------------------------------------- the whole process */

/* The last of several runs at a time gives back what the first one found. */
static pthread_mutex_t serial_mutex = PTHREAD_MUTEX_INITIALIZER;
static int n_serial;
static struct {
    int openblas;
    long blis;
} before[N_LIBRARIES];

void rk_blas_make_serial(void) {
    rk_blas_turn turn = rk_blas_begin(); /* for OpenBLAS with OpenMP sets the caller's, too */
    pthread_mutex_lock(&serial_mutex);
    if (n_serial++ == 0)
        for (int l = 0; l < N_LIBRARIES; l++) {
            const controls *c = &found[l];
            before[l].openblas = c->openblas_get && c->openblas_set ? c->openblas_get() : 1;
            if (before[l].openblas != 1) c->openblas_set(1);
            before[l].blis = c->blis_get && c->blis_set ? c->blis_get() : 1;
            if (before[l].blis != 1) c->blis_set(1);
        }
    pthread_mutex_unlock(&serial_mutex);
    rk_blas_end(turn);
}

void rk_blas_restore(void) {
    rk_blas_turn turn = rk_blas_begin();
    pthread_mutex_lock(&serial_mutex);
    if (--n_serial == 0)
        for (int l = N_LIBRARIES - 1; l >= 0; l--) {
            if (before[l].openblas != 1) found[l].openblas_set(before[l].openblas);
            if (before[l].blis != 1) found[l].blis_set(before[l].blis);
        }
    pthread_mutex_unlock(&serial_mutex);
    rk_blas_end(turn);
}

/* --------------------------------------------------------------------------------- its identity */

static const char *openblas_threads(void *handle) {
    static const char *const models[] = {"none, one call at a time", "pthreads", "OpenMP"};
    int (*get_parallel)(void);
    int model = find(handle, "openblas_get_parallel", &get_parallel) ? get_parallel() : -1;
    return model >= 0 && model <= 2 ? models[model] : "unknown";
}

static const char *blis_threads(void *handle) {
    long (*enabled)(void);
    if (find(handle, "bli_info_get_enable_openmp", &enabled) && enabled()) return "OpenMP";
    if (find(handle, "bli_info_get_enable_pthreads", &enabled) && enabled()) return "pthreads";
    return "none";
}

/* Each library by what only it exports. */
static void identify(void *handle, rk_blas_identity *id) {
    char *(*text)(void);
    const char *(*constant_text)(void);
    void (*write)(char *, int);
    int (*query)(void);
    const char *(*arch)(int);
    void *symbol;
    if (find(handle, "openblas_get_config", &text)) {
        snprintf(id->name, sizeof id->name, "%s", text());
        id->threads = openblas_threads(handle);
        if (find(handle, "openblas_get_corename", &text))
            snprintf(id->core, sizeof id->core, "%s", text());
    } else if (find(handle, "bli_info_get_version_str", &constant_text)) {
        snprintf(id->name, sizeof id->name, "BLIS %s", constant_text());
        id->threads = blis_threads(handle);
        if (find(handle, "bli_arch_query_id", &query) && find(handle, "bli_arch_string", &arch))
            snprintf(id->core, sizeof id->core, "%s", arch(query()));
    } else if (find(handle, "MKL_Get_Version_String", &write)) {
        write(id->name, sizeof id->name - 1);
        id->threads = "its own";
    } else if (find(handle, "ATL_buildinfo", &symbol)) {
        snprintf(id->name, sizeof id->name, "ATLAS");
        id->threads = find(handle, "ATL_thread_start", &symbol) ? "pthreads" : "none";
        snprintf(id->core, sizeof id->core, "as built");
    } else if (find(handle, "CBLAS_CallFromC", &symbol)) {
        snprintf(id->name, sizeof id->name, "reference");
        id->threads = "none";
        snprintf(id->core, sizeof id->core, "as built");
    }
}

rk_blas_identity rk_blas_identify(void) {
    rk_blas_identity id = {.name = "unknown", .threads = "unknown", .core = "unknown"};
    pthread_once(&once, find_controls);
    const char *file = file_of((void (*)(void))cblas_dgemm);
    char *real = file ? realpath(file, NULL) : NULL;
    snprintf(id.file, sizeof id.file, "%s", real ? real : "");
    free(real);
    identify(handles[BLAS], &id);
    for (char *c = id.name; *c; c++) /* one line, and blanks as words are parted */
        if (*c == '\n') *c = ' ';
    for (size_t end = strlen(id.name); end > 0 && id.name[end - 1] == ' ';)
        id.name[--end] = 0;
    return id;
}
