/* Comparing numbers so that NaN fails. */
#ifndef TEST_NEAR_H
#define TEST_NEAR_H

/** Fails the running test unless |got - expected| <= tolerance. */
void assert_near(double got, double expected, double tolerance);

#endif
