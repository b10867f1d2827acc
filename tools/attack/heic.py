"""A HEIC photo; no library at hand writes one."""

import base64
import zlib

# 32 x 16 pixels, the left half red, the right half blue.
HEIC = zlib.decompress(
    base64.b85decode(
        "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Ufw3kxwIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfN=qY27;YHtelydmj>p6L`8v|R3<1dqb%7F#N;c;EXjo"
        "{`IA{tQ~;#!WELdn1L;zrGG|6+kkACMBDoI?fBydX!N9=JoB-4z;lRkl`2Rmh0W(MiGYHA;Vsc0XN@_YWGNQ>WP-tYG_G;a%XAcw?9B5!*;AsE}w<G~ov$-%HEI!x"
        "?v_m*KKc^@!Ii~_B%FDn8RKg&VSzM3`^_T+`Yb56+f*hs*b-MtF{{R2~10c-=q%VMIka$66MJ7liGY1C;kdnwO$c2S5FxXfdnV4Byfb4_0DT$yk-m1a4p7TWd#%-3"
        "$;r0K|XUqTBNMHE-Xr6Zc_q*QjADG|&zv{@p;PqeL-Ew(+_jp99vFY6Mg@ppHk$2vk>C|o7#P>9ZZ9%JA<}am|=`)Pum(SWcx99gOiSPCfhi$vHXFN6&{h07J{Q0`"
        "fhdBisHWg2|lu=w%Ys&55{)^$P#fyORJb5V$-4Bv4Eb_nVZ^9s*D}ScCCPdIzYL4!_)Z{rkPdwxmez|nreCdz%N@^jhN~VS<uC?@5006W!st*"
    )
)
