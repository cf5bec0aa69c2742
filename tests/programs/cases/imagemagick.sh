#: about: ImageMagick's convert with two threads on pictures that it makes itself
#: needs: convert
#: timeout: 120
#: quick: 1
export MAGICK_THREAD_LIMIT=2 OMP_NUM_THREADS=2
sum() { convert "$1" -depth 8 rgb:- | cksum; }
convert -size 300x200 gradient:red-blue -depth 8 a.png; sum a.png
convert a.png -resize 150x100 -rotate 30 -blur 0x2 b.png; sum b.png
convert a.png \( +clone -flip \) -append -sharpen 0x1 -colorspace Gray c.png; sum c.png
convert -size 200x200 -seed 7 plasma:fractal -quality 90 d.jpg; convert d.jpg -format '%w %h %m' info:; echo
convert a.png b.png -delay 10 -loop 0 e.gif; convert e.gif -format '%n ' info:; echo
convert -size 500x500 radial-gradient:white-black -swirl 180 -fx 'u*0.5+0.1' f.ppm; sum f.ppm
convert none.png x.png 2>/dev/null; echo "none $?"
rm -f -- *.png *.jpg *.gif *.ppm
