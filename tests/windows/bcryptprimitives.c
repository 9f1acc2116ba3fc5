/* bcryptprimitives.dll for Wine 8, which lacks it. Rust's standard library takes random numbers from ProcessPrng. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036 (PVOID buffer, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng (PBYTE buffer, SIZE_T size)
{
    return SystemFunction036 (buffer, size);
}
