/** Date and time, in the user's locale. */
export const exactly = (date: string): string => new Date(date).toLocaleString();
