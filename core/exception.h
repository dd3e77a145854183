/*
 * Exceptions by their vectors: SDM vol. 3, "Exception and Interrupt Reference"; APM vol. 2, "Exceptions and
 * Interrupts".
 */
#pragma once

enum {
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_OF = 4,
    VECTOR_UD = 6,
    VECTOR_DF = 8,
    VECTOR_SS = 12,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_AC = 17,
    VECTOR_MC = 18,
    EXCEPTIONS = 32 /* vectors below are theirs */
};

/* Those that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX. */
#define EXCEPTIONS_WITH_ERROR                                                                                          \
    (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21 | 1u << 29 | 1u << 30)
